"""Evaluation: elements a second, `evaluate` against a plain loop of forward passes and cross entropies.

The default transformer for text, 4 layers x 128, over windows of 256 bytes with stride 128; every byte is scored once,
the same ones in the same batches on both sides. The limit is the forward pass's matrix products.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.flops import counted
from benchmarks.limits import least, limits
from benchmarks.row import Options, Row, timed
from benchmarks.windows import Timing, side_by_side
from chainrule.data.examples.stream import StreamExamples
from chainrule.evaluation.evaluate import evaluate
from chainrule.heads.categorical import CategoricalHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.transformer import Transformer
from chainrule.training.allocation import keep_freed_memory

__all__ = ["ROWS"]

SYMBOLS, WINDOW, BATCH = 256, 256, 8


@torch.no_grad()
def plain(model: AutoregressiveModel, examples: StreamExamples) -> float:
    """The total in nats, as one would write it: a forward pass, a cross entropy, a sum."""
    total = 0.0
    for start in range(0, len(examples), BATCH):
        batch = examples.batch(np.arange(start, min(start + BATCH, len(examples))))
        logits = model.head.linear(model.network(batch.x))  # type: ignore[operator]
        nats = F.cross_entropy(logits.flatten(0, 1), batch.x.flatten(), reduction="none")
        total += float(nats[batch.mask.flatten()].sum(dtype=torch.float64))
    return total


def model_and_windows(scored: int) -> tuple[AutoregressiveModel, StreamExamples]:
    """The default transformer for text, and windows over so many bytes."""
    torch.manual_seed(0)
    model = AutoregressiveModel(Transformer(SYMBOLS, WINDOW, 128, 4, 4), CategoricalHead(128, SYMBOLS)).eval()
    stream = np.random.default_rng(0).integers(0, SYMBOLS, scored, dtype=np.uint8)
    return model, StreamExamples(stream, WINDOW, WINDOW // 2)


def evaluation(options: Options) -> list[Row]:
    """The row, once both sides agree on the total."""
    scored = 1000 if options.quick else 40_000
    model, examples = model_and_windows(scored)
    ours, theirs = partial(evaluate, model, examples, batch_size=BATCH), partial(plain, model, examples)
    nats, expected = -ours().likelihood.total_nats, theirs()
    if abs(nats - expected) > 1e-5 * expected:
        raise ArithmeticError(f"the two sides disagree: {nats} and {expected} nats")
    mine, other = side_by_side(ours, theirs, rounds=options.rounds)
    work = f"evaluation, {scored} bytes, 4 layers x 128, windows of {WINDOW}, stride {WINDOW // 2}"
    return [timed(work, "plain loop", mine, other, goal=1.0, limit=least(theirs), done=(scored, "elements"))]


def share_of_products(options: Options) -> list[Row]:
    """Operations of one pass over each scored element, over seconds, against the rate of `torch.mm`.

    The protocol reads every element twice, so that one half is what a scorer without any other cost would reach.
    """
    scored = 1000 if options.quick else 1_000_000
    model, examples = model_and_windows(scored)
    whole = torch.zeros(1, WINDOW, dtype=torch.long)
    with torch.inference_mode():
        operations, _ = counted(lambda: model.log_prob(whole))
    least_seconds = operations / WINDOW * scored / limits().flops
    keep_freed_memory()  # as the command does
    (ours,) = side_by_side(partial(evaluate, model, examples), rounds=options.rounds)
    at_the_rate = {"seconds": least_seconds, "processor": options.threads * least_seconds}
    theirs = Timing(*(tuple(window._replace(**at_the_rate) for window in part) for part in (ours.kept, ours.thrown)))
    work = f"scoring {scored} bytes of text, 4 layers x 128, windows of {WINDOW}, stride {WINDOW // 2}"
    peer = "torch.mm, one pass over each byte"
    return [timed(work, peer, ours, theirs, goal=0.5, done=(scored, "bytes"))]


ROWS = {"evaluation": evaluation, "share of products": share_of_products}
