"""Conditions: what an example is conditioned on, p(x | c), and how it is written as a context."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from typing import Protocol as Interface

import numpy as np

from chainrule.data.examples.base import Array, Encoding
from chainrule.errors import InputError
from chainrule.likelihood import Protocol

__all__ = ["Classes", "Conditions", "conditions_of", "context_options", "protocol_given"]


class Conditions(Interface):
    """Raw conditions -> contexts."""

    @property
    def description(self) -> str:
        """What is given, for the protocol of a result: "label", "columns age, sex"."""

    @property
    def network_options(self) -> dict[str, int]:
        """What the network has to know: `num_classes` or `context_size`."""

    def parse(self, text: str) -> Array:
        """The context of one example from the command line, shape (1,) or (1, C)."""


@dataclass(frozen=True)
class Classes:
    """One of a few classes, known by name; the context is its number, shape (N,).

    names: in the order of their numbers.

    >>> classes = Classes.of(["cat", "dog", "cat"])
    >>> classes.encode(["dog", "cat"], "pets").tolist(), classes.network_options
    ([1, 0], {'num_classes': 2})
    """

    names: tuple[str, ...]

    @classmethod
    def of(cls, labels: Sequence[Any] | Array) -> Classes:
        """The classes that occur among labels; numbers in their order, everything else by name."""
        names = set(map(str, np.asarray(labels).tolist()))
        numbers = all(name.lstrip("-").isdigit() for name in names)
        return cls(tuple(sorted(names, key=(lambda name: (int(name), name)) if numbers else None)))

    @property
    def description(self) -> str:
        return "label"

    @property
    def network_options(self) -> dict[str, int]:
        return {"num_classes": len(self.names)}

    def encode(self, labels: Sequence[Any] | Array | None, what: str) -> Array:
        """The numbers of labels, shape (N,); refuses a label that is not among the classes."""
        if labels is None:
            raise InputError(f"{what}: has no labels to be given; leave --given out, or bring the labels with the data")
        number = {name: k for k, name in enumerate(self.names)}
        found = [number.get(str(label), -1) for label in np.asarray(labels).tolist()]
        if -1 in found:
            row = found.index(-1)
            raise InputError(f"{what}: label {labels[row]!s} of example {row} is none of {self._known}; correct it")
        return np.array(found, dtype=np.int64)

    @property
    def _known(self) -> str:
        shown = ", ".join(self.names[:12])
        return shown if len(self.names) <= 12 else f"{shown}, ... ({len(self.names)} classes)"

    def parse(self, text: str) -> Array:
        """The context of one example from "3" or "label=3"."""
        name = text.removeprefix("label=")
        if name not in self.names:
            raise InputError(f"--given {text}: the classes are {self._known}; name one of them")
        return np.array([self.names.index(name)], dtype=np.int64)

    def to_json(self) -> list[str]:
        """The names; `Classes(tuple(names))` is the inverse."""
        return list(self.names)


def conditions_of(encoding: Encoding) -> Conditions | None:
    """What the examples of an encoding are conditioned on, None for nothing."""
    conditions: Conditions | None = getattr(encoding, "conditions", None)
    return conditions


def context_options(encoding: Encoding) -> dict[str, int]:
    """The options that conditions ask of a network; none for unconditional data."""
    conditions = conditions_of(encoding)
    return {} if conditions is None else conditions.network_options


def protocol_given(conditions: Conditions | None) -> Protocol:
    """The protocol of examples of one length: what they are conditioned on."""
    return Protocol() if conditions is None else Protocol(context=conditions.description)
