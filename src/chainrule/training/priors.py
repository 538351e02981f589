"""Priors over parameters: ln p(theta), the sum of a density over all parameters, by rules on their names.

    Gaussian of width s:  ln p(w) = -w^2 / (2 s^2) - ln(s sqrt(2 pi))
    Laplace of width b:   ln p(w) = -|w| / b - ln(2 b)

Divided by the number of training examples and added to the mean log-likelihood, it makes training maximise the
posterior (MAP). Decoupled weight decay is not that: its strength does not fall with 1/N_data, and it goes around
Adam's denominator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from math import log, pi, sqrt

import torch
from torch import Tensor, nn

from chainrule.errors import InputError, unknown_name

__all__ = ["Prior", "Width"]


def _gaussian(w: Tensor, s: float) -> tuple[Tensor, float]:
    return -w.square().sum(dtype=torch.float64) / (2 * s * s), -log(s * sqrt(2 * pi))


def _laplace(w: Tensor, b: float) -> tuple[Tensor, float]:
    return -w.abs().sum(dtype=torch.float64) / b, -log(2 * b)


# ln p(w) of a parameter: the sum of what depends on w, and the constant of one scalar
DENSITIES: dict[str, Callable[[Tensor, float], tuple[Tensor, float]]] = {"gaussian": _gaussian, "laplace": _laplace}


@dataclass(frozen=True)
class Width:
    """A density with mode zero, by name and width; "none" is the flat prior, ln p(w) = 0.

    >>> Width.parse("laplace:0.1")
    Width(name='laplace', width=0.1)
    """

    name: str
    width: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Width:
        """From "gaussian:1.0", "laplace:0.1" or "none"."""
        name, _, number = text.partition(":")
        if text == "none":
            return cls("none")
        if name not in DENSITIES:
            raise unknown_name("prior", name, (*DENSITIES, "none"))
        try:
            width = float(number)
        except ValueError:
            width = -1.0
        if not 0 < width < float("inf"):
            raise InputError(f"a prior is written as {name}:WIDTH with a positive width, got {text!r}")
        return cls(name, width)


class Prior:
    """ln p(theta), in nats.

    rules: one density for all parameters, "gaussian:1.0", or a table from patterns to densities of which the first that
    fits counts, {"*.bias": "none", "Embedding": "laplace:0.1", "*": "gaussian:1.0"}. A pattern, with * and ?, is held
    against a parameter's full name and against the classes of the module that it belongs to. What fits no pattern has
    the flat prior; a pattern that fits nothing is refused.

    >>> layer = nn.Linear(2, 1)
    >>> _ = nn.init.zeros_(layer.weight), nn.init.ones_(layer.bias)
    >>> round(Prior({"bias": "laplace:0.5"}).log_density(layer).item(), 4)  # -1/0.5 - ln(2 * 0.5)
    -2.0
    """

    def __init__(self, rules: str | Mapping[str, str]) -> None:
        table = {"*": rules} if isinstance(rules, str) else dict(rules)
        if not table:
            raise InputError('a prior needs a rule, got an empty table; write one such as "*" = "gaussian:1.0"')
        self.rules = {pattern: Width.parse(text) for pattern, text in table.items()}

    def widths(self, model: nn.Module) -> dict[str, Width]:
        """The density of each trained parameter by name. Raises InputError for a pattern that matches no parameter."""
        found, used = {}, set()
        for name, labels, _ in _parameters(model):
            fits = [rule for rule in self.rules if any(fnmatchcase(label, rule) for label in labels)]
            used.update(fits)
            found[name] = self.rules[fits[0]] if fits else Width("none")
        for pattern in self.rules:
            if pattern not in used:
                names = ", ".join(list(found)[:3])
                raise InputError(f"the prior's pattern {pattern!r} matches no parameter; their names are {names}, ...")
        return found

    def log_density(self, model: nn.Module) -> Tensor:
        """ln p(theta) of the trained parameters, a scalar in float64, differentiable."""
        widths = self.widths(model)
        total, constant = torch.zeros((), dtype=torch.float64), 0.0
        for name, _, parameter in _parameters(model):
            if (width := widths[name]).name != "none":
                term, each = DENSITIES[width.name](parameter, width.width)
                total = term if total.grad_fn is None else total + term
                constant += parameter.numel() * each
        return total + constant


def _parameters(model: nn.Module) -> Iterator[tuple[str, set[str], nn.Parameter]]:
    """Each trained parameter once: its name, the texts that patterns are matched with, and the parameter."""
    seen: set[int] = set()
    for prefix, module in model.named_modules():
        classes = {kind.__name__ for kind in type(module).__mro__}
        for short, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad and id(parameter) not in seen:
                seen.add(id(parameter))
                name = f"{prefix}.{short}" if prefix else short
                yield name, {name} | classes, parameter
