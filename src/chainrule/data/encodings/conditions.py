"""Conditions: what an example is conditioned on, p(x | c), and how that becomes a context."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chainrule.batch import Array
from chainrule.errors import InputError

__all__ = ["Classes", "Conditions"]


class Conditions(ABC):
    """Raw conditions -> contexts."""

    @property
    @abstractmethod
    def description(self) -> str:
        """What is given, for the protocol of a result: "label", "columns age, sex"."""

    @property
    @abstractmethod
    def network_options(self) -> dict[str, int]:
        """The options of the network that reads the contexts: `num_classes` or `context_size`."""

    @abstractmethod
    def parse(self, text: str) -> Array:
        """The context of one example from the command line, shape (1,) or (1, C)."""

    @property
    def class_names(self) -> tuple[str, ...] | None:
        """The names of the classes, in the order of their numbers; None where the condition is not a class."""
        return None


@dataclass(frozen=True)
class Classes(Conditions):
    """One of a few classes, known by name; the context is its number, shape (N,).

    names: the names of the classes, in the order of their numbers.

    >>> classes = Classes.of(["cat", "dog", "cat"])
    >>> classes.encode(["dog", "cat"], "pets").tolist(), classes.network_options
    ([1, 0], {'num_classes': 2})
    """

    names: tuple[str, ...]

    @classmethod
    def of(cls, labels: Sequence[Any] | Array) -> Classes:
        """The classes that occur among labels: numbers in numerical order, everything else by name."""
        names = set(map(str, np.asarray(labels).tolist()))
        numbers = all(name.lstrip("-").isdigit() for name in names)
        return cls(tuple(sorted(names, key=(lambda name: (int(name), name)) if numbers else None)))

    @property
    def class_names(self) -> tuple[str, ...]:
        return self.names

    @property
    def description(self) -> str:
        return "label"

    @property
    def network_options(self) -> dict[str, int]:
        return {"num_classes": len(self.names)}

    def encode(self, labels: Sequence[Any] | Array | None, what: str) -> Array:
        """The numbers of labels, shape (N,); raises InputError for an unknown label."""
        if labels is None:
            raise InputError(f"{what}: has no labels to condition on; leave out --given, or give labels with the data")
        number = {name: k for k, name in enumerate(self.names)}
        found = [number.get(str(label), -1) for label in np.asarray(labels).tolist()]
        if -1 in found:
            row = found.index(-1)
            raise InputError(f"{what}: label {labels[row]!s} of example {row} is not one of {self._known}; correct it")
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
