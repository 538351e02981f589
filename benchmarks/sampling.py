"""Drawing examples with a cached step against recomputing every feature for every element.

    python -m benchmarks.sampling [NAME ...] [--rounds 5] [--elements 32]

Both sides use the same model, the same noise and the same draw. The recomputation is measured on some elements, evenly
spread over the example, because each of them costs the same; its time is scaled to all of them, and the table says so.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import torch

from benchmarks.windows import side_by_side
from chainrule.heads.bernoulli import BernoulliHead
from chainrule.heads.categorical import CategoricalHead
from chainrule.models.base import evaluating
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.pixelcnn import PixelCNN
from chainrule.noise import uniforms
from chainrule.sampling.compiled import compile_step


@dataclass(frozen=True)
class Case:
    """A model, how many examples are drawn at once, the ratio that is aimed at, and whether the step is compiled."""

    build: Callable[[], AutoregressiveModel]
    batch_size: int
    goal: float
    compiled: bool = False


def digits() -> AutoregressiveModel:
    """8x8 images of 17 levels, four plain causal convolutions of 256 channels, as in a teaching notebook."""
    return _convolutions(gated=False)


def gated() -> AutoregressiveModel:
    """The same with the gates, the norms and the shortcuts of WaveNet: 2.1 times as many weights."""
    return _convolutions(gated=True)


def _convolutions(gated: bool) -> AutoregressiveModel:
    with warnings.catch_warnings(action="ignore"):  # it sees 25 of 64 pixels, and that is the architecture
        network = CausalConv(17, (8, 8), 256, depth=4, kernel_size=7, dilations=(1,), gated=gated)
    return AutoregressiveModel(network, CategoricalHead(256, 17))


def pixelcnn() -> AutoregressiveModel:
    """Binary 28x28 images, 15 gated blocks."""
    return AutoregressiveModel(PixelCNN(2, (28, 28), 13, 15, concat_elu=False), BernoulliHead(13))


CASES = {
    "digits-1": Case(digits, 1, 8),
    "digits-1-compiled": Case(digits, 1, 8, compiled=True),
    "digits-64": Case(digits, 64, 40),
    "digits-64-compiled": Case(digits, 64, 40, compiled=True),
    "gated-1": Case(gated, 1, 8),
    "gated-1-compiled": Case(gated, 1, 8, compiled=True),
    "gated-64": Case(gated, 64, 40),
    "gated-64-compiled": Case(gated, 64, 40, compiled=True),
    "pixelcnn-1": Case(pixelcnn, 1, 10),
    "pixelcnn-16": Case(pixelcnn, 16, 40),
}


def recompute(model: AutoregressiveModel, n: int, elements: range) -> torch.Tensor:
    """Draw the given elements of n examples, each from a forward pass over the whole example."""
    noise = torch.from_numpy(uniforms(0, range(n), range(model.network.length)))
    x = torch.zeros(n, model.network.length, dtype=torch.long)
    with evaluating(model):
        for d in elements:
            h = model.network(x)
            x[:, d] = model.head.at(d, h[:, d], x[:, :d]).icdf(noise[:, d])
    return x


def compare(name: str, case: Case, rounds: int, count: int) -> str:
    """One row of the table."""
    torch.manual_seed(0)
    model = case.build().eval()
    sampler = compile_step(model, case.batch_size) if case.compiled else model
    length = model.network.length
    elements = range(0, length, max(1, length // count))
    step, whole = side_by_side(
        lambda: sampler.sample(case.batch_size, seed=0),
        lambda: recompute(model, case.batch_size, elements),
        rounds=rounds,
    )
    scale = length / len(elements)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    ratio = whole.median * scale / step.median
    part = "" if scale == 1 else f", from {len(elements)} of {length} elements"
    thrown = step.thrown_away + whole.thrown_away
    notes = f"; {thrown} windows thrown away" if thrown else ""
    notes += "; never undisturbed" if step.disturbed or whole.disturbed else ""
    return (
        f"{name:18} {parameters:>7} parameters | step {step} | recomputing {whole.median * scale:.3g} s{part} "
        f"| {ratio:.1f} times (goal {case.goal:g}){notes}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help=f"rows of the table: {', '.join(CASES)}; all by default")
    parser.add_argument("--rounds", type=int, default=5, help="windows of each side")
    parser.add_argument("--elements", type=int, default=32, help="elements on which recomputing is measured")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(CASES)
    if unknown:
        parser.error(f"no row {', '.join(sorted(unknown))}; there are {', '.join(CASES)}")
    torch.set_num_threads(arguments.threads)
    for name in arguments.names or CASES:
        print(compare(name, CASES[name], arguments.rounds, arguments.elements), flush=True)


if __name__ == "__main__":
    main()
