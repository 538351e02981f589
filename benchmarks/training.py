"""Training steps: tokens a second against nanoGPT's eager loop, at its own shape: 4 layers x 128, context 64, batch 12.

Four rows: the very same network in our loop, whose AdamW is fused, eager and compiled; our transformer of the same
shape, eager and compiled. Compilation is apart. All draw windows from the same text. The limit is the step's matrix
products.
"""

from __future__ import annotations

from functools import partial
from time import perf_counter

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks import nanogpt
from benchmarks.defaults import Default
from benchmarks.limits import least
from benchmarks.row import Options, Row, timed
from benchmarks.stepping import Steps
from benchmarks.windows import side_by_side
from chainrule.batch import Batch, Rows
from chainrule.data.examples.base import Examples
from chainrule.heads.categorical import CategoricalHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.transformer import Transformer
from chainrule.training.settings import TrainingSettings

__all__ = ["ROWS", "shaped"]

GOAL = 1.8
SYMBOLS = 65


class Crops(Examples):
    """Windows of so many elements from a stream, one after the other."""

    def __init__(self, stream: np.ndarray, window: int) -> None:
        self.crops = stream[: len(stream) // window * window].reshape(-1, window)

    def __len__(self) -> int:
        return len(self.crops)

    def batch(self, rows: Rows) -> Batch:
        """The windows of these numbers."""
        return Batch(torch.from_numpy(self.crops[rows]))

    def digest(self) -> str:
        """Nothing that outlives the benchmark."""
        return ""


class Scored(nn.Module):
    """A peer's network as a model: ln p of all symbols of a window but the first, which it takes as given."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch) -> Tensor:
        logits = self.network(batch.x[:, :-1])
        nats = F.cross_entropy(logits.flatten(0, 1), batch.x[:, 1:].flatten(), reduction="none")
        return -nats.view(len(batch), -1).sum(1)


def models(compiling: bool) -> dict[str, tuple[nn.Module, int, bool]]:
    """By name: a model, the elements of its windows, whether our loop compiles it.

    A peer's network has no head apart that could stay uncompiled, so it comes compiled as a whole.
    """

    def whole(network: nn.Module) -> nn.Module:
        return torch.compile(network) if compiling else network  # type: ignore[return-value]

    def ours() -> AutoregressiveModel:
        network = Transformer(SYMBOLS, nanogpt.CONTEXT, nanogpt.WIDTH, nanogpt.DEPTH, nanogpt.HEADS)
        return AutoregressiveModel(network, CategoricalHead(nanogpt.WIDTH, SYMBOLS))

    return {
        "its own network in our loop": (Scored(nanogpt.GPT(SYMBOLS)), nanogpt.CONTEXT + 1, False),
        "its own network in our loop, compiled": (Scored(whole(nanogpt.GPT(SYMBOLS))), nanogpt.CONTEXT + 1, False),
        "our transformer": (ours(), nanogpt.CONTEXT, False),
        "our transformer, compiled": (ours(), nanogpt.CONTEXT, compiling),
    }


def shaped() -> Default:
    """Our transformer at the peer's shape, for a profile."""
    torch.manual_seed(0)
    train = Crops(np.random.default_rng(0).integers(0, SYMBOLS, 1 << 18), nanogpt.CONTEXT)
    model, _, _ = models(compiling=False)["our transformer"]
    name = f"our transformer at nanoGPT's shape, {nanogpt.BATCH} x {nanogpt.CONTEXT}"
    return Default(name, model, train, train, settings_of(compiled=False))


def settings_of(compiled: bool) -> TrainingSettings:
    """The peer's, as far as they cost time."""
    return TrainingSettings(batch_size=nanogpt.BATCH, learning_rate=1e-3, weight_decay=0.1, compile=compiled)


def training(name: str, options: Options) -> list[Row]:
    """The row of a model; a window is ten steps."""
    torch.manual_seed(0)
    steps = 1 if options.quick else 10
    stream = np.random.default_rng(0).integers(0, SYMBOLS, 1 << 20)
    theirs = nanogpt.Recipe(torch.from_numpy(stream), SYMBOLS)
    model, window, compiled = models(compiling=not options.quick)[name]
    mine = Steps(model, Crops(stream, window), settings_of(compiled))
    began = perf_counter()
    mine()
    first = perf_counter() - began
    limit = least(theirs.step, scale=steps, eager=False)

    def peer() -> None:
        for _ in range(steps):
            theirs.step()

    ours, other = side_by_side(partial(mine, steps), peer, rounds=options.rounds)
    done = nanogpt.BATCH * nanogpt.CONTEXT * steps, "tokens"
    note = f"first step with compilation {first:.0f} s" if "compiled" in name else ""
    work = f"training, {steps} steps of {nanogpt.BATCH} x {nanogpt.CONTEXT}: {name}"
    return [timed(work, "nanoGPT's recipe, eager", ours, other, done=done, goal=GOAL, limit=limit, note=note)]


ROWS = {
    "network": partial(training, "its own network in our loop"),
    "network-compiled": partial(training, "its own network in our loop, compiled"),
    "transformer": partial(training, "our transformer"),
    "compiled": partial(training, "our transformer, compiled"),
}
