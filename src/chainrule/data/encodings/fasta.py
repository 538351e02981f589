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
from chainrule.data.encodings.ends import check_end, describe, until_end, windows_of
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.data.examples.base import Examples
from chainrule.data.examples.division import divided
from chainrule.data.examples.sequences import SequenceExamples
from chainrule.data.examples.splits import EmptySplit, Split, default_way, parse_shares, refuse_empty, rows_in_order
from chainrule.data.examples.stream import StreamExamples
from chainrule.data.sources.fasta import Fasta, is_fastq, kept_case, read_fasta, read_fasta_as_before
from chainrule.domain import Domain
from chainrule.errors import InputError
from chainrule.likelihood import EXAMPLES, Protocol

__all__ = ["FastaEncoding", "load_fasta"]

FEW = 10  # records, below which a split may be empty
STREAM_WINDOW = 256  # elements


@dataclass(frozen=True)
class FastaEncoding(Encoding):
    """A sequence is its letters and, unless it is aligned or its length is given, an end.

    letters: the alphabet, gaps included.
    aligned: the common length of all sequences; None where lengths differ.
    window: the number of letters that the network reads at once.
    stride: the number of letters that a window moves on by.
    end: "scored" for p(x, T), "given" for p(x | T).
    upper: whether lower case is read as upper case.
    stream: whether all records are one long stream.
    reader: version of the reader of files; 1 for runs of the first versions.
    """

    letters: str
    aligned: int | None
    window: int
    stride: int
    end: str = "scored"
    upper: bool = False
    stream: bool = False
    reader: int = 1
    kind: ClassVar[str] = "fasta"
    is_text: ClassVar[bool] = True
    file_endings: ClassVar[tuple[str, ...]] = (".fasta",)

    @property
    def domain(self) -> Domain:
        """The letters, at the columns of an alignment or in sequences that end."""
        if self.aligned is not None:
            return Domain((self.aligned,), len(self.letters))
        if self.stream:
            return Domain((self.window,), len(self.letters))
        end = len(self.letters) if self.end == "scored" else None
        return Domain((self.window,), len(self.letters) + (end is not None), variable_length=True, end=end)

    @property
    def group(self) -> str:
        """A stream has the defaults of texts, records those of rows."""
        return "text" if self.stream else super().group

    @property
    def protocol(self) -> Protocol:
        """How a sequence is scored."""
        if self.aligned is not None:
            return Protocol()
        if self.stream:
            return Protocol(context=f"windows of {self.window} of the stream, stride {self.stride}")
        return Protocol(end=self.end, context=f"windows of {self.window} of the sequence, stride {self.stride}")

    def examples(self, sequences: list[bytes], what: str) -> Examples:
        """The examples of sequences."""
        alphabet = Characters(self.letters)
        rows = [alphabet.encode(sequence, f"{what} sequence {n}") for n, sequence in enumerate(sequences, start=1)]
        if self.stream:
            return StreamExamples(np.concatenate(rows), self.window, self.stride, 0, alphabet.byte_lengths)
        if self.aligned is None:
            return SequenceExamples.of(rows, self.window, self.stride, self.domain.end)
        for n, row in enumerate(rows, start=1):
            if len(row) != self.aligned:
                raise InputError(
                    f"{what} sequence {n}: has {len(row)} letters, expected the {self.aligned} of the alignment"
                )
        return ArrayExamples(np.stack(rows) if rows else np.zeros((0, self.aligned), dtype=np.uint8))

    def encode(self, source: str) -> Examples:
        has_end = self.aligned is None and not self.stream and self.end == "scored"
        return self.examples(_read(str(source), self.upper, self.reader, has_end).sequences, str(source))

    def decode(self, x: Array) -> list[str]:
        """One string per row, up to its end."""
        return [Characters(self.letters).decode(until_end(row, self.domain.end)).decode() for row in x]

    def write(self, raw: list[str], given: str | None = None) -> bytes:
        return "".join(f">sample_{n}\n{sequence}\n" for n, sequence in enumerate(raw)).encode()

    def to_json(self) -> dict[str, Any]:
        fields = asdict(self)
        if self.reader == 1:
            fields = {name: value for name, value in fields.items() if name not in ("upper", "stream", "reader")}
        return {"kind": self.kind} | fields

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> FastaEncoding:
        return cls(**{name: value for name, value in fields.items() if name != "kind"})


def load_fasta(
    source: str,
    *,
    end: str = "scored",
    case: str | None = None,
    documents: str | None = None,
    window: int | None = None,
    stride: int | None = None,
    split: str | None = None,
    split_seed: int = 0,
    reader: int = 2,
) -> DataSet:
    """The sequences of a FASTA or FASTQ file, divided into three splits; headers are not modelled.

    Sequences of one length are an alignment: columns are elements, without an end. Others end, see `load_documents`.
    A single record, or so few that a split would be empty, is one stream, divided in its order.

    source: a FASTA file.
    end: "scored" for p(x, T), "given" for p(x | T).
    case: "upper" to read lower case (soft masking) as upper case, "keep"; None for "upper", of A3M and A2M "keep".
    documents: "record", or "stream" to read all records as one; None for "record" where there are enough.
    window: letters that the network reads at once; None for the longest sequence or 512, of a stream 256.
    stride: letters that a window moves on by in evaluation; None for half a window.
    split: how they are divided, see `Split`; None for distinct:80/10/10, for short ones random:80/10/10.
    split_seed: key of a random split.
    reader: version of the reader; 1 reads as the first versions did.
    """
    check_end(end)
    upper = reader > 1 and _is_upper(source, case)
    found = _read(source, upper, reader)
    if not found.sequences:
        raise InputError(f"{source}: holds no sequences; a FASTA file has a > line before each")
    letters = "".join(sorted(set(b"".join(found.sequences).decode("latin-1"))))
    options = {"end": end, "reader": reader} | ({"case": "upper" if upper else "keep"} if reader > 1 else {})
    if reader > 1 and _as_stream(source, found.sequences, documents, split, split_seed):
        encoding, examples, note, more = _stream(found.sequences, letters, upper, window, stride, split)
        unit = EXAMPLES
    else:
        encoding = _encoding(found.sequences, letters, end, window, stride, upper, reader)
        examples, note, more, unit = _by_record(found.sequences, encoding, source, split, split_seed)
    train, valid, test = examples
    return DataSet(source, encoding, train, valid, test, note + _remarks(source, found), options | more, unit)


def _read(source: str, upper: bool, reader: int, may_be_empty: bool = False) -> Fasta:
    path = Path(source)
    return read_fasta(path, upper, may_be_empty=may_be_empty) if reader > 1 else Fasta(read_fasta_as_before(path))


def _is_upper(source: str, case: str | None) -> bool:
    """Whether lower case is read as upper case."""
    if case not in (None, "upper", "keep"):
        raise InputError(f"--case is upper, to read lower case as upper case, or keep; got {case!r}")
    return not kept_case(Path(source)) if case is None else case == "upper"


def _as_stream(source: str, sequences: list[bytes], documents: str | None, split: str | None, seed: int) -> bool:
    """Whether the records are read as one stream."""
    if documents not in (None, "record", "stream"):
        raise InputError(f"{source}: --documents of FASTA is record or stream, got {documents!r}")
    if documents is not None or len(sequences) >= FEW:
        return documents == "stream"
    way = Split.parse(split, default_way(sequences), seed)
    try:
        divided({"": sequences}, way, bytes)
    except EmptySplit:
        return True
    return False


def _stream(
    sequences: list[bytes], letters: str, upper: bool, window: int | None, stride: int | None, split: str | None
) -> tuple[FastaEncoding, list[Examples], str, dict[str, Any]]:
    """All records one after the other, divided in their order."""
    longest = max(STREAM_WINDOW, sum(map(len, sequences)))
    window, stride = windows_of(STREAM_WINDOW if window is None else window, stride, longest, default=STREAM_WINDOW)
    divided_by = Split.parse(split, "order")
    if divided_by.way != "order":
        raise InputError(f"a stream is divided in its order, got --split {split}; take order:{divided_by.shares}")
    encoding = FastaEncoding(letters, None, window, stride, upper=upper, stream=True, reader=2)
    stream = b"".join(sequences)
    shares = parse_shares(divided_by.shares)
    borders = rows_in_order(len(stream), shares)
    refuse_empty(borders, shares, f"of {len(stream)} elements the shares {divided_by.shares}")
    parts = [
        encoding.examples([stream[rows[0] : rows[-1] + 1] if len(rows) else b""], "the stream") for rows in borders
    ]
    records = f"{len(sequences)} records" if len(sequences) > 1 else "one record"
    note = (
        f"{records} read as one stream of {len(stream)} elements ({len(letters)} letters), {divided_by.note}; windows "
        f"of {window}, evaluated with stride {stride}"
    )
    return encoding, parts, note, {"documents": "stream", "window": window, "stride": stride} | divided_by.options


def _encoding(
    sequences: list[bytes], letters: str, end: str, window: int | None, stride: int | None, upper: bool, reader: int
) -> FastaEncoding:
    """How records become elements: as the columns of an alignment where all are of one length."""
    lengths = set(map(len, sequences))
    aligned = lengths.pop() if len(lengths) == 1 else None
    longest = max(map(len, sequences)) + (end == "scored" and aligned is None)
    window, stride = windows_of(window if aligned is None else aligned, stride, longest)
    return FastaEncoding(letters, aligned, window, stride, end, upper, reader=reader)


def _by_record(
    sequences: list[bytes], encoding: FastaEncoding, source: str, split: str | None, split_seed: int
) -> tuple[list[Examples], str, dict[str, Any], str]:
    """Each record as an example; the last is the unit of standard errors."""
    divided_by = Split.parse(split, default_way(sequences), split_seed)
    division = divided({"": sequences}, divided_by, bytes)
    aligned, window, stride = encoding.aligned is not None, encoding.window, encoding.stride
    lengths = np.array(list(map(len, sequences))) + (not aligned and encoding.end == "scored")
    kind = "aligned sequences" if aligned else "sequences"
    ends = "" if aligned else f", the end {encoding.end}"
    note = f"{describe(kind, lengths, f'({len(encoding.letters)} letters){ends}', window, stride)}; {division.how}"
    options: dict[str, Any] = {"window": None if aligned else window, "stride": None if aligned else stride}
    options |= {"documents": "record"} if encoding.reader > 1 else {}
    examples = [encoding.examples(part, source) for part in division.parts]
    return examples, note, options | divided_by.options, division.unit


def _remarks(source: str, found: Fasta) -> str:
    """What was read otherwise than it is written."""
    total = sum(map(len, found.sequences))
    share = f"; {100 * found.lower / total:.1f} % of the letters are lower case"
    lower = f"{share}, read as upper case (--case keep tells them apart)"
    repeated = f"; {found.repeated} records have the name of one before"
    qualities = "; qualities are not modelled" if is_fastq(Path(source)) else ""
    return (lower if found.lower else "") + (repeated if found.repeated else "") + qualities
