"""Coding: encode and decode 64 examples side by side, against drawing as many from the same model.

Both walk the chain once by the same step, so that the ratio says what the coder costs: it is one where that is as
much as the draw of a sampler. A NADE over 64 bits, causal convolutions over 64 elements of 17 levels, and the default
transformer for text over 256 bytes.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from benchmarks.row import Options, Row, timed
from benchmarks.windows import side_by_side
from chainrule.coding.walk import Layout, decode_sequences, encode_sequences
from chainrule.heads.bernoulli import BernoulliHead
from chainrule.heads.categorical import CategoricalHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.nade import NADE
from chainrule.networks.transformer import Transformer

__all__ = ["ROWS"]

LANES = 64


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
    """A row to encode and one to decode for each model, once both give the same back."""
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
        encoded, decoded, drawn = side_by_side(encode, back, draw, rounds=options.rounds)
        done = (LANES * length, "elements")
        for what, mine in (("encode", encoded), ("decode", decoded)):
            note = f"{len(code)} bytes"
            work = f"{what} {LANES} x {length}: {name}"
            rows.append(timed(work, "draws of the same model", mine, drawn, goal=1 / 1.3, done=done, note=note))
    return rows


ROWS = {"coding": coding}
