"""Sampling as rows: our cached step against `generate` of Hugging Face with its cache, and against recomputing.

Transformers draw 256 elements of 256 symbols, nothing cut off, from random weights in float32; theirs is a GPT-2 of the
same layers. Where a compiled step pays, it has a row of its own; compiling it is apart. CTranslate2, an engine in C++,
draws from a GPT-2 of the same layers, too, in a process of its own, against what `sample` does without a flag. Images
are those of `benchmarks.sampling`: same model, noise and draw on both sides, the recomputation measured on some of the
elements.
"""

from __future__ import annotations

import sys
from functools import partial
from importlib.util import find_spec
from time import perf_counter
from typing import Any, NamedTuple

import torch

from benchmarks import sampling
from benchmarks.ctranslate import Engine
from benchmarks.limits import limits
from benchmarks.row import Limit, Options, Row, timed
from benchmarks.windows import side_by_side
from chainrule.heads.categorical import CategoricalHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.transformer import Transformer
from chainrule.sampling.chosen_step import chosen_step, is_by_program
from chainrule.sampling.compiled import compile_step

__all__ = ["ROWS"]

SYMBOLS, LENGTH = 256, 256
FLOAT = 4  # bytes
PAUSE = 0.3  # seconds until threads that wait for more fall asleep


class Shape(NamedTuple):
    """Layers, features, heads."""

    depth: int
    width: int
    heads: int


SMALL, LARGE = Shape(4, 128, 4), Shape(6, 384, 6)


def generator(shape: Shape, length: int) -> Any:
    """The peer: draws so many examples of so many elements."""
    from transformers import GPT2Config, GPT2LMHeadModel

    sizes: dict[str, Any] = {
        "n_embd": shape.width,
        "n_layer": shape.depth,
        "n_head": shape.heads,
        "n_positions": length + 1,
    }
    ends: dict[str, Any] = {"bos_token_id": 0, "eos_token_id": None, "pad_token_id": 0}  # no symbol ends a text
    model = GPT2LMHeadModel(GPT2Config(vocab_size=SYMBOLS, **sizes, **ends)).eval()

    @torch.inference_mode()
    def draw(n: int) -> None:
        start = torch.zeros(n, 1, dtype=torch.long)
        plain = {"do_sample": True, "top_k": 0, "top_p": 1.0, "use_cache": True}
        many = {"max_new_tokens": length, "min_new_tokens": length}
        drawn = model.generate(start, attention_mask=torch.ones_like(start), **plain, **many)
        if drawn.shape != (n, length + 1):
            raise ArithmeticError(f"generate drew {tuple(drawn.shape)}, expected {(n, length + 1)}")

    return draw


def least(model: AutoregressiveModel, n: int, length: int, cache: int) -> Limit:
    """Every element reads all weights and half the cache, or multiplies them for n examples; which takes longer."""
    weights = sum(parameter.numel() for parameter in model.parameters())
    reading = length * FLOAT * (weights + n * cache / 2) / limits().bytes
    arithmetic = length * n * 2 * (weights + cache / 2) / limits().flops
    return Limit(max(reading, arithmetic), "memory" if reading > arithmetic else "GEMM")


def transformer(shape: Shape, n: int, goal: float, compiled: bool, options: Options) -> list[Row]:
    """The row of a transformer: n examples at once."""
    torch.manual_seed(0)
    length = 8 if options.quick else LENGTH
    network = Transformer(SYMBOLS, length, shape.width, shape.depth, shape.heads)
    model = AutoregressiveModel(network, CategoricalHead(shape.width, SYMBOLS)).eval()
    start = perf_counter()
    sampler = compile_step(model, n) if compiled and not options.quick else model
    note = f"compiled in {perf_counter() - start:.0f} s" if compiled else ""
    mine, other = side_by_side(
        lambda: sampler.sample(n, seed=0), partial(generator(shape, length), n), rounds=options.rounds
    )
    work = f"sampling, transformer {shape.depth} x {shape.width}, batch {n}, {'compiled' if compiled else 'eager'} step"
    limit = least(model, n, length, 2 * shape.depth * shape.width * length)
    return [
        timed(
            work, "generate with cache", mine, other, done=(n * length, "elements"), goal=goal, limit=limit, note=note
        )
    ]


def against_engine(shape: Shape, n: int, goal: float, options: Options) -> list[Row]:
    """The row against CTranslate2 of the step that a walk takes without being asked, its program being in the cache."""
    if find_spec("ctranslate2") is None:
        print("CTranslate2 is not installed (extra dev): no row", file=sys.stderr)
        return []
    torch.manual_seed(0)
    length = 8 if options.quick else LENGTH
    network = Transformer(SYMBOLS, length, shape.width, shape.depth, shape.heads)
    model = AutoregressiveModel(network, CategoricalHead(shape.width, SYMBOLS)).eval()
    if not options.quick:
        compile_step(model, n)  # so that the program is in the cache
    start = perf_counter()
    sampler = chosen_step(model, n, length, None, None)
    note = f"the program read in {perf_counter() - start:.2g} s" if is_by_program(sampler) else "eager"
    peer = Engine(*shape, length, options.threads)
    try:
        mine, other = side_by_side(
            lambda: sampler.sample(n, seed=0), partial(peer, n), rounds=options.rounds, pause=PAUSE
        )
    finally:
        peer.close()
    work = f"sampling without a flag, transformer {shape.depth} x {shape.width}, batch {n}"
    limit = least(model, n, length, 2 * shape.depth * shape.width * length)
    many = (n * length, "elements")
    return [timed(work, "CTranslate2, float32", mine, other, done=many, goal=goal, limit=limit, note=note)]


def images(name: str, options: Options) -> list[Row]:
    """The row of a case of `benchmarks.sampling`."""
    torch.manual_seed(0)
    case, count = sampling.CASES[name], 2 if options.quick else 32
    model = case.build().eval()
    length = model.network.length
    sampler = compile_step(model, case.batch_size) if case.compiled and not options.quick else model
    elements = range(0, length, max(1, length // count))
    mine, other = side_by_side(
        lambda: sampler.sample(case.batch_size, seed=0),
        lambda: sampling.recompute(model, case.batch_size, elements),
        rounds=options.rounds,
    )
    scale = length / len(elements)
    note = "" if scale == 1 else f"theirs from {len(elements)} of {length} elements"
    limit = least(model, case.batch_size, length, 0)
    work = f"sampling, {name}"
    return [timed(work, "recomputing everything", mine, other, scale=scale, goal=case.goal, limit=limit, note=note)]


ROWS: dict[str, Any] = {
    "4x128-1": partial(transformer, SMALL, 1, 5.0, False),
    "4x128-1-compiled": partial(transformer, SMALL, 1, 5.0, True),
    "4x128-64": partial(transformer, SMALL, 64, 3.0, False),
    "4x128-64-compiled": partial(transformer, SMALL, 64, 3.0, True),
    "6x384-1": partial(transformer, LARGE, 1, 2.0, False),
    "6x384-1-compiled": partial(transformer, LARGE, 1, 2.0, True),
    "6x384-64": partial(transformer, LARGE, 64, 1.5, False),
    "6x384-64-compiled": partial(transformer, LARGE, 64, 1.5, True),
    "4x128-1-engine": partial(against_engine, SMALL, 1, 1.3),
    "4x128-64-engine": partial(against_engine, SMALL, 64, 1.5),
    "6x384-1-engine": partial(against_engine, LARGE, 1, 1.5),
    "6x384-64-engine": partial(against_engine, LARGE, 64, 1.8),
} | {name: partial(images, name) for name in sampling.CASES}
