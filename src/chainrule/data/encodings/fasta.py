"""Biological sequences: FASTA, aligned (all of one length) or not."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from chainrule.batch import Array
from chainrule.data.alphabets.alphabet import Characters
from chainrule.data.encodings.base import Encoding
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.encodings.ends import WINDOW, check_end, describe, until_end
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.data.examples.base import Examples
from chainrule.data.examples.sequences import SequenceExamples
from chainrule.data.examples.splits import Split, default_way, divided
from chainrule.data.sources.fasta import read_fasta
from chainrule.domain import Domain
from chainrule.errors import InputError
from chainrule.likelihood import Protocol

__all__ = ["FastaEncoding", "load_fasta"]


@dataclass(frozen=True)
class FastaEncoding(Encoding):
    """A sequence is its letters and, unless it is aligned or its length is given, an end.

    letters: the alphabet, gaps included.
    aligned: the common length of all sequences; None where lengths differ.
    window: the number of letters that the network reads at once.
    stride: the number of letters that a window moves on by.
    end: "scored" for p(x, T), "given" for p(x | T).
    """

    letters: str
    aligned: int | None
    window: int
    stride: int
    end: str = "scored"
    kind: ClassVar[str] = "fasta"
    is_text: ClassVar[bool] = True
    file_endings: ClassVar[tuple[str, ...]] = (".fasta",)

    @property
    def domain(self) -> Domain:
        """The letters, at the columns of an alignment or in sequences that end."""
        if self.aligned is not None:
            return Domain((self.aligned,), len(self.letters))
        end = len(self.letters) if self.end == "scored" else None
        return Domain((self.window,), len(self.letters) + (end is not None), variable_length=True, end=end)

    @property
    def protocol(self) -> Protocol:
        """How a sequence is scored."""
        if self.aligned is not None:
            return Protocol()
        return Protocol(end=self.end, context=f"windows of {self.window} of the sequence, stride {self.stride}")

    def examples(self, sequences: list[bytes], what: str) -> Examples:
        """The examples of sequences."""
        alphabet = Characters(self.letters)
        rows = [alphabet.encode(sequence, f"{what} sequence {n}") for n, sequence in enumerate(sequences, start=1)]
        if self.aligned is None:
            return SequenceExamples.of(rows, self.window, self.stride, self.domain.end)
        for n, row in enumerate(rows, start=1):
            if len(row) != self.aligned:
                raise InputError(
                    f"{what} sequence {n}: has {len(row)} letters, expected the {self.aligned} of the alignment"
                )
        return ArrayExamples(np.stack(rows) if rows else np.zeros((0, self.aligned), dtype=np.uint8))

    def encode(self, source: str) -> Examples:
        return self.examples(read_fasta(Path(source)), source)

    def decode(self, x: Array) -> list[str]:
        """One string per row, up to its end."""
        return [Characters(self.letters).decode(until_end(row, self.domain.end)).decode() for row in x]

    def write(self, raw: list[str], given: str | None = None) -> bytes:
        return "".join(f">sample_{n}\n{sequence}\n" for n, sequence in enumerate(raw)).encode()

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind} | asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> FastaEncoding:
        return cls(**{name: value for name, value in fields.items() if name != "kind"})


def load_fasta(
    source: str,
    *,
    end: str = "scored",
    window: int | None = None,
    stride: int | None = None,
    split: str | None = None,
    split_seed: int = 0,
) -> DataSet:
    """The sequences of a FASTA file, divided into three splits; headers are not modelled.

    Sequences of one length are an alignment: columns are elements, without an end. Others end, see `load_documents`.

    source: a FASTA file.
    end: "scored" for p(x, T), "given" for p(x | T).
    window: letters that the network reads at once; None for the longest sequence or 512.
    stride: letters that a window moves on by in evaluation; None for half a window.
    split: how they are divided, see `Split`; None for distinct:80/10/10, for short ones random:80/10/10.
    split_seed: key of a random split.
    """
    check_end(end)
    sequences = read_fasta(Path(source))
    lengths = np.array([len(sequence) for sequence in sequences])
    if len(lengths) == 0:
        raise InputError(f"{source}: holds no sequences; a FASTA file has a > line before each")
    aligned = int(lengths[0]) if (lengths == lengths[0]).all() else None
    if aligned is None:
        lengths = lengths + (end == "scored")
    longest = int(lengths.max())
    window = (min(longest, WINDOW) if window is None else window) if aligned is None else aligned
    stride = max(1, window // 2) if stride is None else stride
    letters = "".join(sorted(set(b"".join(sequences).decode("latin-1"))))
    encoding = FastaEncoding(letters, aligned, window, stride, end)
    splits, how = divided({"": sequences}, divided_by := Split.parse(split, default_way(sequences), split_seed), bytes)
    train, valid, test = (encoding.examples(part, source) for part in splits)
    kind = "sequences" if aligned is None else "aligned sequences"
    ends = f", the end {end}" if aligned is None else ""
    note = f"{describe(kind, lengths, f'({len(letters)} letters){ends}', window, stride)}; {how}"
    options = {
        "end": end,
        "window": None if aligned else window,
        "stride": None if aligned else stride,
    } | divided_by.options
    return DataSet(source, encoding, train, valid, test, note, options)
