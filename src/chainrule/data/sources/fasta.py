"""FASTA: biological sequences, each after a line that begins with `>`."""

from __future__ import annotations

from pathlib import Path

from chainrule.data.sources.plain_files import data_ending
from chainrule.data.sources.text_files import read_file
from chainrule.errors import InputError

__all__ = ["is_fasta", "read_fasta"]

ENDINGS = (".fasta", ".fa", ".faa", ".fna", ".a3m")


def is_fasta(path: Path) -> bool:
    """Whether a file is named like FASTA, also gzipped."""
    return data_ending(path.name) in ENDINGS


def read_fasta(path: Path) -> list[bytes]:
    """The sequences of a FASTA file, also gzipped: lines after each `>` header, joined."""
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
