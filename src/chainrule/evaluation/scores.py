"""Per-example scores in files: ln p of every example, in nats, one line each."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from math import inf
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chainrule.atomic_files import write_file
from chainrule.errors import InputError

__all__ = ["ScoreFile", "read_score_file", "read_scores", "scores_csv", "write_scores"]

Nats = npt.NDArray[np.float64]
SHOWN = 3  # ids that an error names


@dataclass(frozen=True)
class ScoreFile:
    """Scores as they stand in a file.

    name: of the file.
    nats: ln p of each example, nats, shape (N,).
    ids: what names each example, in their order; None where the file names none, so that its order counts.
    """

    name: str
    nats: Nats
    ids: tuple[str, ...] | None = None

    def in_order_of(self, other: ScoreFile) -> Nats:
        """The scores of the examples of another file, in its order: joined by the ids where the files have them.

        Raises InputError where one has ids and the other has not, and where they are not the same.
        """
        if self.ids is None and other.ids is None:
            return self.nats
        for one, two in ((self, other), (other, self)):
            if one.ids is None:
                raise InputError(
                    f"{two.name} names its examples in a column `id` and {one.name} does not, so that nobody can say "
                    f"whether they are in the same order; give {one.name} the ids, or take the column away if they are"
                )
        mine, theirs = self.ids or (), other.ids or ()
        place = {name: n for n, name in enumerate(mine)}
        for one, two in ((self, other), (other, self)):
            known = set(one.ids or ())
            lacking = [name for name in two.ids or () if name not in known]
            if lacking:
                shown = ", ".join(map(repr, lacking[:SHOWN])) + (", ..." if len(lacking) > SHOWN else "")
                raise InputError(
                    f"{one.name} has no id {shown}, which {two.name} has ({len(lacking)} of {len(two.nats)}); score "
                    "the same examples with both"
                )
        return self.nats[[place[name] for name in theirs]]


def read_scores(path: Path) -> Nats:
    """ln p of each example from a CSV file, in nats, in the order of its lines, see `read_score_file`."""
    return read_score_file(path).nats


def read_score_file(path: Path) -> ScoreFile:
    """ln p of each example from a CSV file of any program, in nats, in the order of the examples.

    It has a column `log_prob` (ln p), or `nats` (-ln p), or a single column of ln p. A column `example`, where there is
    one, has to count 0, 1, 2, ...; a column `id` names each example, and no two alike.

    Raises InputError, naming the line.
    """
    try:
        rows = [row for row in csv.reader(path.read_text(encoding="utf-8").splitlines()) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error}); give a CSV file of scores or a run directory") from None
    if not rows:
        raise InputError(f"{path}: the file is empty; give one line per example")
    head = [name.strip().lower() for name in rows[0]]
    named = {"log_prob", "nats"} & set(head)
    if not named and (len(head) > 1 or not _is_number(head[0])):
        raise InputError(f"{path}: has the columns {', '.join(head)}; name the one with ln p `log_prob`, in nats")
    column, sign = (head.index("log_prob"), 1) if "log_prob" in named else (head.index("nats"), -1) if named else (0, 1)
    values = []
    for number, row in enumerate(rows[bool(named) :]):
        if len(row) <= column or not _is_number(row[column]):
            raise InputError(
                f"{path}: line {number + 1 + bool(named)} has no number in its column of scores; correct it"
            )
        if named and "example" in head and "id" not in head and row[head.index("example")].strip() != str(number):
            raise InputError(f"{path}: line {number + 2} is not example {number}; sort the file by example, from 0")
        values.append(sign * float(row[column]))
    ids = _ids(path, rows[1:], head.index("id")) if named and "id" in head else None
    scores = np.array(values)
    if not (scores < inf).all():
        raise InputError(f"{path}: holds NaN or a probability of infinity; correct it")
    return ScoreFile(path.name, scores, ids)


def _ids(path: Path, rows: list[list[str]], column: int) -> tuple[str, ...]:
    """The ids in a column; raises InputError for one that is missing or stands twice."""
    first: dict[str, int] = {}
    for line, row in enumerate(rows, start=2):
        name = row[column].strip() if len(row) > column else ""
        if not name:
            raise InputError(f"{path}: line {line} has no id; name every example, or take the column `id` away")
        if name in first:
            raise InputError(
                f"{path}: the id {name!r} stands in line {first[name]} and in line {line}; name every example once"
            )
        first[name] = line
    return tuple(first)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def scores_csv(nats: Nats) -> str:
    """The content of a CSV file of scores; `read_scores` is its inverse, to the last bit."""
    return "\n".join(["example,log_prob", *(f"{n},{value!r}" for n, value in enumerate(nats.tolist()))]) + "\n"


def write_scores(path: Path, nats: Nats) -> None:
    """Write scores as .csv or .parquet, whole or not at all."""
    try:
        if path.suffix == ".parquet":
            import pyarrow
            import pyarrow.parquet

            content = pyarrow.BufferOutputStream()
            columns = {"example": np.arange(len(nats)), "log_prob": nats}
            pyarrow.parquet.write_table(pyarrow.table(columns), content)
            write_file(path, content.getvalue().to_pybytes())
        elif path.suffix == ".csv":
            write_file(path, scores_csv(nats).encode())
        else:
            raise InputError(f"{path}: per-example nats are written as .csv or .parquet; change the ending")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); name another place") from None
