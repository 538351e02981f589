"""Coding: encode and decode 64 examples side by side, against drawing as many from the same model and scoring them.

To code and to draw both walk the chain once by the same step, so that the ratio says what the coder costs: it is one
where that is as much as the draw of a sampler. The model's own forward pass sees all elements at once. The coder alone:
from probabilities to integer weights and to the code, or back, microseconds per symbol in 64 lanes.

The models: a NADE over 64 bits, causal convolutions over 64 elements of 17 levels, and the default transformer for text
over 256 bytes.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from benchmarks.row import Options, Row, timed
from benchmarks.windows import side_by_side
from chainrule.batch import Array, Batch
from chainrule.coding.range_coder import decoder, encoder
from chainrule.coding.walk import Layout, decode_sequences, encode_sequences
from chainrule.coding.weights import integer_weights
from chainrule.heads.bernoulli import BernoulliHead
from chainrule.heads.categorical import CategoricalHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.nade import NADE
from chainrule.networks.transformer import Transformer

__all__ = ["ROWS"]

LANES = 64
GOAL = 2.0  # microseconds per symbol


def cases(quick: bool) -> dict[str, AutoregressiveModel]:
    """The models by what they are."""
    torch.manual_seed(0)
    width, window = (16, 16) if quick else (128, 256)
    return {
        "bits, NADE of 128": AutoregressiveModel(NADE(2, 64, 1, width=width), BernoulliHead(1)),
        "17 levels, four causal convolutions x 128": AutoregressiveModel(
            CausalConv(17, 64, width, depth=4, dilations=(1, 4)), CategoricalHead(width, 17)
        ),
        f"{window} bytes, 4 layers x 128": AutoregressiveModel(
            Transformer(256, window, width, 4, 4), CategoricalHead(width, 256)
        ),
    }


def coding(options: Options) -> list[Row]:
    """Rows to encode and to decode for each model, once both give the same back."""
    rows = []
    for name, model in cases(options.quick).items():
        length = model.length
        x = list(model.sample(LANES, seed=0).x.double().numpy())
        layout = Layout(LANES, length, length, length)
        code = encode_sequences(model, layout, x)
        back = partial(decode_sequences, model, layout, code, [length] * LANES)
        if not np.array_equal(np.stack(back()), np.stack(x)):
            raise ArithmeticError(f"{name}: what is decoded is not what was encoded")
        draw = partial(model.sample, LANES, seed=0)
        encode = partial(encode_sequences, model, layout, x)
        forward = partial(scored, model, Batch(torch.from_numpy(np.stack(x)).long()))
        encoded, decoded, drawn, passed = side_by_side(encode, back, draw, forward, rounds=options.rounds)
        done = (LANES * length, "elements")
        for what, mine in (("encode", encoded), ("decode", decoded)):
            note = f"{len(code)} bytes of code, {len(code) / mine.median:,.0f} a second"
            work = f"{what} {LANES} x {length}: {name}"
            rows.append(timed(work, "draws of the same model", mine, drawn, goal=1 / 1.3, done=done, note=note))
            rows.append(timed(work, "its forward pass", mine, passed, done=done, note=note))
    return rows


def scored(model: AutoregressiveModel, batch: Batch) -> torch.Tensor:
    """ln p of each example, by one forward pass."""
    with torch.no_grad():
        return model.log_prob(batch)


def coder(options: Options) -> list[Row]:
    """A row to encode and one to decode symbols of each alphabet, without a model."""
    rows, calls = [], 4 if options.quick else 400
    random = np.random.default_rng(0)
    for count in (2, 17, 256):
        pmf = random.dirichlet(np.full(count, 0.3), size=(calls, LANES))
        symbols = random.integers(count, size=(calls, LANES))
        words = written(pmf, symbols)
        if not np.array_equal(read(pmf, words), symbols):
            raise ArithmeticError(f"{count} symbols: what is decoded is not what was encoded")
        encode, decode = partial(written, pmf, symbols), partial(read, pmf, words)
        for what, mine in zip(("encode", "decode"), side_by_side(encode, decode, rounds=options.rounds), strict=True):
            seconds = mine.processor if mine.disturbed else mine.seconds
            each = tuple(1e6 * taken / symbols.size for taken in seconds)
            clock = "processor" if mine.disturbed else "wall"
            work = f"{what} a symbol of {count}, integer weights included"
            goal = tuple(GOAL for _ in each)
            rows.append(Row(work, f"the goal: {GOAL:g} us", each, goal, unit="us", goal=1.0, clock=clock))
    return rows


def written(pmf: Array, symbols: Array) -> Array:
    """The words of symbols by their probabilities, some lanes at a time."""
    coder = encoder()
    for p, x in zip(pmf, symbols, strict=True):
        coder.encode(x, integer_weights(p))
    return coder.words()


def read(pmf: Array, words: Array) -> Array:
    """The symbols again."""
    coder = decoder(words)
    return np.stack([coder.decode(integer_weights(p)) for p in pmf])


ROWS = {"coding": coding, "coder": coder}
