"""Evaluation: elements a second, `evaluate` against a plain loop of forward passes and cross entropies.

The default transformer for text, 4 layers x 128, over windows of 256 bytes with stride 128; every byte is scored once,
the same ones in the same batches on both sides. The limit is the forward pass's matrix products.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.limits import least
from benchmarks.row import Options, Row, timed
from benchmarks.windows import side_by_side
from chainrule.data.examples.stream import StreamExamples
from chainrule.evaluation.evaluate import evaluate
from chainrule.heads.categorical import CategoricalHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.transformer import Transformer

__all__ = ["ROWS"]

WINDOW, BATCH = 256, 64


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


def evaluation(options: Options) -> list[Row]:
    """The row, once both sides agree on the total."""
    torch.manual_seed(0)
    symbols, scored = 256, 1000 if options.quick else 40_000
    model = AutoregressiveModel(Transformer(symbols, WINDOW, 128, 4, 4), CategoricalHead(128, symbols)).eval()
    stream = np.random.default_rng(0).integers(0, symbols, scored, dtype=np.uint8)
    examples = StreamExamples(stream, WINDOW, WINDOW // 2)
    ours, theirs = partial(evaluate, model, examples, batch_size=BATCH), partial(plain, model, examples)
    nats, expected = -ours().likelihood.total_nats, theirs()
    if abs(nats - expected) > 1e-5 * expected:
        raise ArithmeticError(f"the two sides disagree: {nats} and {expected} nats")
    mine, other = side_by_side(ours, theirs, rounds=options.rounds)
    work = f"evaluation, {scored} bytes, 4 layers x 128, windows of {WINDOW}, stride {WINDOW // 2}"
    return [timed(work, "plain loop", mine, other, goal=1.0, limit=least(theirs), done=(scored, "elements"))]


ROWS = {"evaluation": evaluation}
