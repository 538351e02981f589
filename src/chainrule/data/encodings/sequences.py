"""Sequences of symbols from JSON: lists of names or numbers, one a step or always the same number a step."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from chainrule.data.alphabets.raw import read_file, read_json_lines
from chainrule.data.encodings.documents import WINDOW, check_end, describe, until_end
from chainrule.data.examples.base import Array, DataSet, Source
from chainrule.data.examples.lengths import SequenceExamples
from chainrule.data.examples.splits import SPLITS, divided
from chainrule.data.sources.objects import hold, path_or_held
from chainrule.domain import Domain
from chainrule.errors import InputError
from chainrule.likelihood import Protocol

__all__ = ["SequenceEncoding", "as_json", "open_sequences", "read_sequences"]

Scalar = str | int


@dataclass(frozen=True)
class SequenceEncoding:
    """A sequence is the numbers of its symbols and, where the end is scored, one symbol more.

    symbols: the alphabet, names or integers. width: symbols a step, None where a sequence is a flat list; a sequence of
    steps counts its dims in steps. window, stride: in steps. end: "scored" for p(x, T), "given" for p(x | T).
    """

    symbols: tuple[Scalar, ...]
    window: int
    stride: int
    end: str = "scored"
    width: int | None = None
    field: str | None = None
    pack: int | None = None
    kind: ClassVar[str] = "sequences"
    ending: ClassVar[str] = ".json"

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
        """Elements a step."""
        return self.width or 1

    def examples(self, sequences: list[Any], what: str) -> SequenceExamples:
        """The examples of sequences as they stand in the JSON."""
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
                    f"{what} sequence {n} step {step}: has {symbols}, expected {self.width} symbols a step"
                )
        return [symbol for step in sequence for symbol in step]

    def _number(self, number: dict[Scalar, int], symbol: Any, what: str, n: int) -> int:
        if not isinstance(symbol, str | int) or symbol not in number:
            raise InputError(
                f"{what} sequence {n}: the symbol {symbol!r} is not among the {len(number)} that the model knows, "
                "so its probability is 0; remove the sequence, or fit on data that has it"
            )
        return number[symbol]

    def encode(self, source: Source) -> SequenceExamples:
        source = path_or_held(source, self.field)
        parts = read_sequences(source, self.field)
        return self.examples(parts.get("test") or parts[""], str(source))

    def decode(self, x: Array) -> list[list[Any]]:
        """One list a row, up to its end; incomplete last steps are left out."""
        flat = [[self.symbols[k] for k in until_end(row, self.domain.end)] for row in x]
        if self.width is None:
            return flat
        width = self.width
        return [[row[i : i + width] for i in range(0, len(row) - width + 1, width)] for row in flat]

    def write(self, raw: list[list[Any]]) -> bytes:
        """The content of a JSON file of samples, which opens as the sequences that they are."""
        return json.dumps(raw).encode() + b"\n"

    def to_json(self) -> dict[str, Any]:
        names = ("window", "stride", "end", "width", "field", "pack")
        return {"kind": self.kind, "symbols": list(self.symbols)} | {name: getattr(self, name) for name in names}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> SequenceEncoding:
        """The encoding that `to_json` wrote."""
        return cls(tuple(fields["symbols"]), **{k: v for k, v in fields.items() if k not in ("kind", "symbols")})


def read_sequences(source: Source, field: str | None = None) -> dict[str, list[Any]]:
    """The sequences of a `.json` or `.jsonl` file (also gzipped), or of what Python holds: by split, or all under "".

    A `.json` holds a list of sequences, or an object with such a list under train, valid and test; each line of a
    `.jsonl` is a sequence, or an object that has one under `field`.
    """
    path = Path(str(source))
    if not isinstance(source, str):
        parts = hold(source).lists()
    elif ".jsonl" in path.suffixes:
        rows = read_json_lines(path)
        if field is not None:
            rows = [row.get(field) if isinstance(row, dict) else None for row in rows]
        parts = {"": rows}
    else:
        try:
            content = json.loads(read_file(path))
        except ValueError as error:
            raise InputError(f"{source}: is no JSON ({error}); correct it") from None
        if isinstance(content, dict) and not set(SPLITS) <= set(content):
            raise InputError(
                f"{source}: has {', '.join(content) or 'nothing'}; expected train, valid and test, or a list"
            )
        parts = {name: content[name] for name in SPLITS} if isinstance(content, dict) else {"": content}
    for name, sequences in parts.items():
        what = f"{source} {name}".strip()
        if not isinstance(sequences, list) or not sequences:
            raise InputError(f"{what}: holds no sequences; give a list of lists")
        for n, sequence in enumerate(sequences, start=1):
            if not isinstance(sequence, list):
                raise InputError(
                    f"{what} sequence {n}: is {type(sequence).__name__}, expected a list of symbols or steps"
                )
            if not sequence:
                raise InputError(f"{what} sequence {n}: is empty; remove it")
    return parts


def as_json(sequence: Any) -> bytes:
    """What a sequence is told apart by."""
    return json.dumps(sequence).encode()


def open_sequences(
    source: Source,
    *,
    field: str | None = None,
    end: str | None = None,
    window: int | None = None,
    stride: int | None = None,
    pack: int | None = None,
    split: str = "80/10/10",
) -> DataSet:
    """Lists of symbols; where every step is a list of the same number of symbols, a chain over them in their order.

    The alphabet is what occurs in the file. window, stride: in steps; by default the longest sequence, or as many steps
    as make 512 elements. end: "scored" by default for flat lists, "given" for steps, whose nats are counted a step.
    """
    parts, how = divided(read_sequences(source, field), split, as_json)
    source = str(source)
    first = parts[0][0][0] if parts[0] else None
    width = len(first) if isinstance(first, list) else None
    end = ("scored" if width is None else "given") if end is None else end
    check_end(end)
    found = {symbol for part in parts for sequence in part for symbol in _symbols(sequence, width, source)}
    symbols = tuple(sorted(found, key=lambda symbol: (isinstance(symbol, str), symbol)))
    lengths = np.array([len(sequence) for part in parts for sequence in part]) + (end == "scored")
    window = max(1, min(int(lengths.max()), WINDOW // (width or 1))) if window is None else window
    stride = max(1, window // 2) if stride is None else stride
    encoding = SequenceEncoding(symbols, window, stride, end, width, field, pack)
    train, valid, test = (encoding.examples(part, source) for part in parts)
    a_step = "" if width is None else f", {width} a step"
    note = describe("sequences", lengths, f"({len(symbols)} symbols{a_step}), the end {end}", window, stride)
    options = {"field": field, "end": end, "window": window, "stride": stride, "pack": pack, "split": split}
    return DataSet(source, encoding, train, valid, test, f"{note}; {how}", options)


def _symbols(sequence: Sequence[Any], width: int | None, source: str) -> list[Scalar]:
    flat = sequence if width is None else [s for step in sequence for s in (step if isinstance(step, list) else [step])]
    for symbol in flat:
        if not isinstance(symbol, str | int):
            raise InputError(f"{source}: has {symbol!r}, expected symbols that are names or integers; re-encode it")
    return list(flat)
