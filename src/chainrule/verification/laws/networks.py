"""The laws of networks: features look back only, as far as they say, and step by step they are the same."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor

from chainrule.networks.base import AutoregressiveNetwork
from chainrule.verification.laws.law import LawBroken, elements, randomised, within

__all__ = ["causality", "check_network", "receptive_field", "step_is_forward", "truncation"]


def causality(network: AutoregressiveNetwork, x: Tensor, context: Tensor | None = None) -> None:
    """Whatever replaces x_j, x_{j+1}, ..., the features h_1, ..., h_j stay the same bits, in both modes."""
    other = x.flip(0).roll(1, 1) if x.is_floating_point() else (x + 1) % (int(x.max()) + 1)
    try:
        for training in (False, True):
            network.train(training)
            before = _seeded(network, x, context)
            for j in range(x.shape[1]):
                changed = _seeded(network, torch.cat([x[:, :j], other[:, j:]], 1), context)
                for layer, (a, b) in enumerate(zip(before, changed, strict=True)):
                    worst = float((a[:, : j + 1] - b[:, : j + 1]).abs().max())
                    mode = "training" if training else "evaluation"
                    within(worst, 0.0, f"causality: layer {layer} in {mode} mode sees x_{j} and what follows")
    finally:
        network.eval()


def _seeded(network: AutoregressiveNetwork, x: Tensor, context: Tensor | None) -> list[Tensor]:
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        return network.layers(x, context)


def truncation(network: AutoregressiveNetwork, x: Tensor, context: Tensor | None = None) -> None:
    """Cutting the sequence off changes no feature that is left, within 1e-10 in float64."""
    network, x, context = _double(network, x, context)
    with torch.no_grad():
        whole = network(x, context)
        for j in range(1, x.shape[1]):
            within(float((network(x[:, :j], context) - whole[:, :j]).abs().max()), 1e-10, f"truncation at {j}")


def receptive_field(network: AutoregressiveNetwork, x: Tensor, context: Tensor | None = None) -> None:
    """The last feature depends on the element `receptive_field` before it and on none farther away."""
    last = x.shape[1] - 1
    reach = min(network.receptive_field, last)
    with torch.no_grad():
        before = network(x, context)[:, last]
        for j in range(last - reach + 1):
            changed = x.clone()
            changed[:, j] = x[:, j] + 1 if x.is_floating_point() else (x[:, j] + 1) % (int(x.max()) + 1)
            depends = not torch.equal(network(changed, context)[:, last], before)
            if depends != (last - j == reach > 0):
                word = "depends on" if depends else "ignores"
                raise LawBroken(f"receptive field: stated {reach}, but h_{last} {word} x_{j}")


def step_is_forward(network: AutoregressiveNetwork, x: Tensor, context: Tensor | None = None) -> None:
    """`step` unrolled equals `forward`: within 1e-4 in float32, 1e-10 in float64."""
    for bound, (net, y, c) in ((1e-4, (network, x, context)), (1e-10, _double(network, x, context))):
        with torch.no_grad():
            state = net.initial_state(len(y), c)
            steps = []
            for d in range(y.shape[1]):
                h, state = net.step(y[:, d - 1] if d else None, state)
                steps.append(h)
            worst = float((torch.stack(steps, 1) - net(y, c)).abs().max())
        within(worst, bound, "step = forward")


def _double(
    network: AutoregressiveNetwork, x: Tensor, context: Tensor | None
) -> tuple[AutoregressiveNetwork, Tensor, Tensor | None]:
    def widen(t: Tensor) -> Tensor:
        return t.double() if t.is_floating_point() else t

    return deepcopy(network).double(), widen(x), None if context is None else widen(context)


def check_network(
    network: AutoregressiveNetwork, num_symbols: int | None, context: Tensor | None = None, length: int | None = None
) -> None:
    """All laws of a network, on three random examples of its length (or a shorter one).

    Raises LawBroken. context: one entry for each of the three examples, for conditional networks.
    """
    network = randomised(network)
    x = elements(num_symbols, 3, length or network.length)
    for law in (causality, truncation, receptive_field, step_is_forward):
        law(network, x, context)
