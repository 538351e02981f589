"""Sequences of symbols: lists of names or numbers, one per step or always the same number per step."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from chainrule.batch import Array
from chainrule.data.encodings.base import Encoding
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.encodings.ends import check_end, describe, until_end, windows_of
from chainrule.data.examples.base import Examples
from chainrule.data.examples.division import divided
from chainrule.data.examples.sequences import SequenceExamples
from chainrule.data.examples.splits import Split, default_way
from chainrule.data.sources.objects import Source, as_source
from chainrule.data.sources.sequence_files import read_sequences
from chainrule.domain import Domain
from chainrule.errors import InputError
from chainrule.likelihood import Protocol

__all__ = ["SequenceEncoding", "as_json", "load_sequences"]

Scalar = str | int


@dataclass(frozen=True)
class SequenceEncoding(Encoding):
    """A sequence is the numbers of its symbols and, where the end is scored, one more symbol.

    symbols: the alphabet, names or integers.
    window: the number of steps that the network reads at once.
    stride: the number of steps that a window moves on by.
    end: "scored" for p(x, T), "given" for p(x | T).
    width: symbols per step; None where a sequence is a flat list. A sequence of steps counts its dims in steps.
    field: the field of JSON lines that holds a sequence; None where each line is one.
    pack: the length of the rows into which training packs sequences; None for padding.
    """

    symbols: tuple[Scalar, ...]
    window: int
    stride: int
    end: str = "scored"
    width: int | None = None
    field: str | None = None
    pack: int | None = None
    kind: ClassVar[str] = "sequences"
    group: ClassVar[str] = "text"
    is_text: ClassVar[bool] = True
    file_endings: ClassVar[tuple[str, ...]] = (".json",)

    @property
    def domain(self) -> Domain:
        """The symbols and, where it is scored, the end."""
        end = len(self.symbols) if self.end == "scored" else None
        return Domain(
            (self.window * (self.width or 1),), len(self.symbols) + (end is not None), variable_length=True, end=end
        )

    @property
    def protocol(self) -> Protocol:
        """How a sequence is scored."""
        return Protocol(end=self.end, context=f"windows of {self.window} steps, stride {self.stride}")

    @property
    def step(self) -> int:
        return self.width or 1

    def examples(self, sequences: list[Any], what: str) -> SequenceExamples:
        """The examples of sequences, as lists of symbols or of steps."""
        number = {symbol: place for place, symbol in enumerate(self.symbols)}
        dtype = np.min_scalar_type(len(self.symbols))
        rows = [
            np.array([self._number(number, symbol, what, n) for symbol in self._flat(sequence, what, n)], dtype=dtype)
            for n, sequence in enumerate(sequences, start=1)
        ]
        width = self.width or 1
        per_dim = width if self.end == "given" else 1
        return SequenceExamples.of(
            rows, self.window * width, self.stride * width, self.domain.end, per_dim=per_dim, pack=self.pack
        )

    def _flat(self, sequence: list[Any], what: str, n: int) -> list[Any]:
        if self.width is None:
            return sequence
        for step, symbols in enumerate(sequence):
            if not isinstance(symbols, list) or len(symbols) != self.width:
                raise InputError(
                    f"{what} sequence {n} step {step}: has {symbols}, expected {self.width} symbols per step"
                )
        return [symbol for step in sequence for symbol in step]

    def _number(self, number: dict[Scalar, int], symbol: Any, what: str, n: int) -> int:
        if not isinstance(symbol, str | int) or symbol not in number:
            raise InputError(
                f"{what} sequence {n}: the symbol {symbol!r} is not among the {len(number)} that the model knows, "
                "so its probability is 0; remove the sequence, or fit on data that has it"
            )
        return number[symbol]

    def encode(self, source: Source) -> Examples:
        parts = self.encode_parts(source)
        return parts["test"] if "test" in parts else parts[""]

    def encode_parts(self, source: Source) -> dict[str, Examples]:
        source = as_source(source, self.field)
        parts = read_sequences(source, self.field, may_be_empty=self.end == "scored")
        return {name: self.examples(sequences, f"{source} {name}".strip()) for name, sequences in parts.items()}

    def decode(self, x: Array) -> list[list[Any]]:
        """One list per row, up to its end; an incomplete last step is left out."""
        flat = [[self.symbols[k] for k in until_end(row, self.domain.end)] for row in x]
        if self.width is None:
            return flat
        width = self.width
        return [[row[i : i + width] for i in range(0, len(row) - width + 1, width)] for row in flat]

    def write(self, raw: list[list[Any]], given: str | None = None) -> bytes:
        return json.dumps(raw).encode() + b"\n"

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind} | asdict(self) | {"symbols": list(self.symbols)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> SequenceEncoding:
        return cls(tuple(fields["symbols"]), **{k: v for k, v in fields.items() if k not in ("kind", "symbols")})


def as_json(sequence: Any) -> bytes:
    """The bytes that identify a sequence; raises InputError for what is no symbol."""
    return json.dumps(sequence, default=_no_symbol).encode()


def _no_symbol(value: Any) -> Any:
    raise InputError(f"a sequence has {value!r}, expected symbols that are names or integers; re-encode it")


def load_sequences(
    source: Source,
    *,
    field: str | None = None,
    end: str | None = None,
    window: int | None = None,
    stride: int | None = None,
    pack: int | None = None,
    split: str | None = None,
    split_seed: int = 0,
) -> DataSet:
    """Lists of symbols; where every step is a list of the same number of symbols, a chain over them in their order.

    The alphabet is what occurs in the file.

    source: a `.json` or `.jsonl` file, or an object.
    field: the field of JSON lines that holds a sequence; None where each line is one.
    end: "scored" for p(x, T), "given" for p(x | T); None for "scored" with flat lists and for "given" with steps, whose
        nats are counted per step.
    window: steps that the network reads at once; None for the longest sequence or 512 elements.
    stride: steps that a window moves on by in evaluation; None for half a window.
    pack: elements of a packed row in training; None for padding.
    split: how they are divided, see `Split`; None for distinct:80/10/10, for short ones random:80/10/10.
    split_seed: key of a random split.
    """
    read = read_sequences(source, field)
    divided_by = Split.parse(split, default_way([x for part in read.values() for x in part]), split_seed)
    division = divided(read, divided_by, as_json)
    parts = division.parts
    source = str(source)
    first = parts[0][0][0] if parts[0] else None
    width = len(first) if isinstance(first, list) else None
    end = ("scored" if width is None else "given") if end is None else end
    check_end(end)
    found = {symbol for part in parts for sequence in part for symbol in _symbols(sequence, width, source)}
    symbols = tuple(sorted(found, key=lambda symbol: (isinstance(symbol, str), symbol)))
    lengths = np.array([len(sequence) for part in parts for sequence in part]) + (end == "scored")
    window, stride = windows_of(window, stride, int(lengths.max()), per_step=width or 1)
    encoding = SequenceEncoding(symbols, window, stride, end, width, field, pack)
    train, valid, test = (encoding.examples(part, source) for part in parts)
    per_step = "" if width is None else f", {width} per step"
    note = describe("sequences", lengths, f"({len(symbols)} symbols{per_step}), the end {end}", window, stride)
    options = {"field": field, "end": end, "window": window, "stride": stride, "pack": pack} | divided_by.options
    return DataSet(source, encoding, train, valid, test, f"{note}; {division.how}", options, division.unit)


def _symbols(sequence: Sequence[Any], width: int | None, source: str) -> list[Scalar]:
    flat = sequence if width is None else [s for step in sequence for s in (step if isinstance(step, list) else [step])]
    for symbol in flat:
        if not isinstance(symbol, str | int):
            raise InputError(f"{source}: has {symbol!r}, expected symbols that are names or integers; re-encode it")
    return list(flat)
