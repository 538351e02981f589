"""FASTA and FASTQ: biological sequences, each after a line with its name."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chainrule.data.sources.plain_files import data_ending
from chainrule.data.sources.text_files import read_file
from chainrule.errors import InputError

__all__ = ["Fasta", "is_fasta", "is_fastq", "kept_case", "read_fasta", "read_fasta_as_before"]

OF_CASE = (".a3m", ".a2m")  # where lower case says that a residue is an insertion
FASTQ = (".fastq", ".fq")
ENDINGS = (
    *(".fasta", ".fa", ".faa", ".fna", ".ffn", ".frn", ".fas", ".fsa", ".mpfa", ".mfa", ".afa"),
    *OF_CASE,
    *FASTQ,
)
RESIDUES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz*-.?~+"
LOWER = b"abcdefghijklmnopqrstuvwxyz"
NUMBERED = b" \t\r\n\v\f0123456789"  # blanks, and positions as GenBank writes them
PIR = (b">P1;", b">F1;", b">DL;", b">DC;", b">RL;", b">RC;", b">N1;", b">N3;", b">XX;")


@dataclass(frozen=True)
class Fasta:
    """The records of a file.

    sequences: the residues of each record.
    lower: how many residues were lower case and were made upper case.
    repeated: how many names occur more than once.
    """

    sequences: list[bytes]
    lower: int = 0
    repeated: int = 0


def is_fasta(path: Path) -> bool:
    """Whether a file is named like FASTA or FASTQ, also where it is compressed."""
    return data_ending(path.name) in ENDINGS


def is_fastq(path: Path) -> bool:
    """Whether a file is named like FASTQ."""
    return data_ending(path.name) in FASTQ


def kept_case(path: Path) -> bool:
    """Whether lower case means something in a file of this name: in A3M and A2M, where it marks insertions."""
    return data_ending(path.name) in OF_CASE


def read_fasta(path: Path, upper: bool, *, may_be_empty: bool = False) -> Fasta:
    """The records of a FASTA file: the lines after each `>` header, joined.

    Comments (lines that begin with `;`), blanks, positions and a byte-order mark are no residues. Where no line begins
    with `>`, a block of lines that begin with `;` is a header. Of FASTQ the qualities are left out.

    path: a file, perhaps compressed.
    upper: whether lower case is made upper case.
    may_be_empty: whether a record without residues is a sequence, as among samples; else it is refused.

    Raises InputError, naming the line, for what is no residue, for records without any, and for a text without headers.
    """
    lines = read_file(path).replace(codecs.BOM_UTF8, b"").splitlines()  # files with marks are joined, too
    records = _fastq(path, lines) if is_fastq(path) else _records(path, lines)
    sequences: list[bytes] = []
    names: list[bytes] = []
    lower = 0
    for n, (name, number, pieces) in enumerate(records, start=1):
        residues = b"".join(pieces).translate(None, NUMBERED)
        if residues.translate(None, RESIDUES):
            raise _no_residue(path, number, pieces)
        if not (residues or may_be_empty):
            shown = name.decode(errors="replace")
            raise InputError(f"{path} sequence {n}: is empty (line {number}, {shown!r}); remove it")
        raised = residues.upper() if upper else residues
        lower += len(residues) - len(residues.translate(None, LOWER)) if upper else 0
        sequences.append(raised)
        names.append(name.split()[0] if name.split() else b"")
    if not sequences:
        raise InputError(f"{path}: holds no sequences; a FASTA file has a > line before each")
    return Fasta(sequences, lower, len(names) - len(set(names)))


def _records(path: Path, lines: list[bytes]) -> Iterator[tuple[bytes, int, list[bytes]]]:
    """The name of each record, the number of its header and its lines."""
    mark = b">" if any(line.startswith(b">") for line in lines) else b";"
    name: bytes | None = None
    begin, pieces = 0, list[bytes]()
    before = b""
    for number, line in enumerate(lines, start=1):
        if line.startswith(PIR):
            raise InputError(f"{path} line {number}: is the header of PIR, which is no FASTA; convert it to FASTA")
        if line.startswith(mark) and not (mark == b";" and before.startswith(b";")):
            if name is not None:
                yield name, begin, pieces
            name, begin, pieces = line[1:].strip(), number, []
        elif line.strip() and not line.startswith(b";"):
            if name is None:
                raise InputError(f"{path} line {number}: comes before the first header; a FASTA file begins with >")
            pieces.append(line)
        before = line
    if name is not None:
        yield name, begin, pieces


def _fastq(path: Path, lines: list[bytes]) -> Iterator[tuple[bytes, int, list[bytes]]]:
    """The same of FASTQ, four lines per record: `@name`, residues, `+`, qualities."""
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    for start in range(0, len(lines), 4):
        record = lines[start : start + 4]
        if len(record) < 4 or record[0][:1] != b"@" or record[2][:1] != b"+" or len(record[1]) != len(record[3]):
            raise InputError(
                f"{path} line {start + 1}: expected the four lines of a FASTQ record (@name, residues, +, one quality "
                "per residue); write it again, or as FASTA"
            )
        yield record[0][1:], start + 1, record[1:2]


def _no_residue(path: Path, header: int, pieces: list[bytes]) -> InputError:
    """The error for the first character that is no residue. header: the number of the line above the pieces."""
    lines = read_file(path).replace(codecs.BOM_UTF8, b"").splitlines()
    for number in range(header, len(lines)):
        odd = lines[number].translate(None, NUMBERED + RESIDUES)
        if odd and lines[number] in pieces:
            shown = repr(odd.decode(errors="replace")[0])
            return InputError(
                f"{path} line {number + 1}: {shown} is no residue; expected letters, gaps (- .) and stops (*); "
                "correct it, or read it as text with --symbols bytes under another name"
            )
    return InputError(f"{path} line {header}: the record holds what is no residue; correct it")


def read_fasta_as_before(path: Path) -> list[bytes]:
    """The sequences as the first versions read them, for their runs: every line after a header, whatever it holds."""
    sequences: list[list[bytes]] = []
    for number, line in enumerate(read_file(path).splitlines(), start=1):
        if line.startswith(b">"):
            sequences.append([])
        elif line.strip():
            if not sequences:
                raise InputError(f"{path} line {number}: comes before the first header; a FASTA file begins with >")
            sequences[-1].append(line.strip())
    joined = [b"".join(lines) for lines in sequences]
    for n, sequence in enumerate(joined, start=1):
        if not sequence:
            raise InputError(f"{path} sequence {n}: is empty; remove it")
    return joined
