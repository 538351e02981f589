"""The contract of an encoding: raw data <-> elements, and everything a caller may ask about it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from io import BytesIO
from typing import Any, ClassVar, cast

import numpy as np

from chainrule.batch import Array
from chainrule.data.alphabets.alphabet import Alphabet
from chainrule.data.encodings.conditions import Conditions
from chainrule.data.examples.base import Examples
from chainrule.data.sources.objects import Source
from chainrule.domain import Domain
from chainrule.errors import InputError
from chainrule.likelihood import Protocol

__all__ = ["Encoding"]


class Encoding(ABC):
    """Raw data <-> elements.

    kind: the name of the kind of data, under which `to_json` is read again.
    """

    kind: ClassVar[str]

    @property
    @abstractmethod
    def domain(self) -> Domain:
        """What the elements may be."""

    @abstractmethod
    def encode(self, source: Source) -> Examples:
        """Every example of another source of the same kind (of its test split, if it has splits).

        Raises InputError for what does not fit.
        """

    def encode_parts(self, source: Source) -> dict[str, Examples]:
        """Every example of another source, by split where it has splits, else all under ""."""
        return {"": self.encode(source)}

    def example_names(self, source: Source) -> dict[str, list[str]]:
        """The names of the files that hold the examples, in the order of `encode_parts`; empty for other sources."""
        return {}

    @abstractmethod
    def decode(self, x: Array) -> Any:
        """Raw data from elements, shape (n, D); one item per example."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """The encoding as JSON, its kind under "kind"."""

    @classmethod
    @abstractmethod
    def from_json(cls, fields: dict[str, Any]) -> Encoding:
        """The encoding from what `to_json` gave."""

    @property
    def group(self) -> str:
        """Which defaults of `fit` apply: "image", "text" or "row"."""
        return "image" if len(self.domain.shape) > 1 else "row"

    @property
    def protocol(self) -> Protocol:
        """How the examples are scored: all elements, given the conditions."""
        return Protocol() if self.conditions is None else Protocol(context=self.conditions.description)

    @property
    def conditions(self) -> Conditions | None:
        """What the examples are conditioned on; None for p(x)."""
        return None

    @property
    def context_options(self) -> dict[str, int]:
        """The options that the conditions require of a network; none for p(x)."""
        return {} if self.conditions is None else self.conditions.network_options

    @property
    def alphabet(self) -> Alphabet | None:
        """What the symbols of a text stand for; None for other data."""
        return None

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the elements where these are the columns of a table."""
        return ()

    @property
    def step(self) -> int:
        """Elements per step of a sequence: the unit of its window and stride."""
        return 1

    def with_windows(
        self, examples: Examples, window: int | None, stride: int | None, longest: int
    ) -> tuple[Encoding, Examples]:
        """The encoding and its examples, read through other windows.

        window: steps that are read at once; None keeps the present window.
        stride: steps that a window moves on by; None keeps the present stride, or the window if that is shorter.
        longest: the number of elements that the network can read at once.
        """
        if examples.windows is None:
            raise InputError("this kind of data is not read through windows; leave out --window and --stride")
        now, moves = (elements // self.step for elements in examples.windows)
        window = now if window is None else window
        stride = min(moves, window) if stride is None else stride
        if not 1 <= window * self.step <= longest:
            raise InputError(
                f"a window is between 1 and the {longest // self.step} that the network was built for, got {window}; "
                "fit with a longer --window"
            )
        encoding = replace(cast("Any", self), window=window, stride=stride)
        return encoding, examples.with_windows(window * self.step, stride * self.step)

    @property
    def is_image(self) -> bool:
        """Whether an example is a picture: rows and columns, and perhaps three channels of colour."""
        return False

    @property
    def picture_levels(self) -> int:
        """The number of levels of the pictures that `decode` gives."""
        return self.domain.num_symbols or 2

    @property
    def pixel_block(self) -> int:
        """The side of the blocks of pixels that are one place of the network; 1 for pixel by pixel."""
        return 1

    @property
    def raster_shape(self) -> tuple[int, ...]:
        """The layout of an example as it is looked at, whatever the order of its elements."""
        return self.domain.shape

    def in_raster(self, values: Array) -> Array:
        """Values per element, shape (D, ...), in the order in which an example is looked at."""
        return values

    @property
    def moves_on(self) -> int | None:
        """The elements by which the windows of a stream move on; None where an example is a whole."""
        return None

    @property
    def is_text(self) -> bool:
        """Whether `write` gives text that a person can read."""
        return False

    @property
    def file_endings(self) -> tuple[str, ...]:
        """The endings of files of samples, the default first; "" stands for a folder of files."""
        return (".npy",)

    def write(self, raw: Any, given: str | None = None) -> bytes:
        """The content of a file that holds what `decode` gave, and loads as the same examples.

        raw: what `decode` gave.
        given: the condition of all of them, as on the command line.
        """
        buffer = BytesIO()
        np.save(buffer, np.asarray(raw), allow_pickle=False)
        return buffer.getvalue()

    def write_as(self, ending: str, raw: Any, given: str | None = None) -> bytes:
        """As `write`, for a file with one of the `file_endings`."""
        return self.write(raw, given)

    def write_folder(self, raw: Any) -> dict[str, bytes]:
        """The content of one file per example, by its name in a folder, where "" is among `file_endings`."""
        raise InputError(f"samples of kind {self.kind} are written to one file, not to a folder")

    def raw(self, examples: Examples, most: int | None = None) -> bytes | None:
        """The text that examples were made of; None for other data.

        most: how many of the last examples (of a stream, of its last symbols) are wanted; None for all.
        """
        return None
