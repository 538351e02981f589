"""Tables: every column of its own kind, missing values an outcome, some columns perhaps given."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, ClassVar

import numpy as np

from chainrule.data.encodings.column_kinds import profiles
from chainrule.data.encodings.columns import KINDS, Numbers, Symbols, column_from_json, is_missing
from chainrule.data.encodings.given_columns import GivenColumns
from chainrule.data.examples.base import Array, ArrayExamples, DataSet, Source
from chainrule.data.examples.conditions import protocol_given
from chainrule.data.examples.splits import three_parts
from chainrule.data.sources.objects import path_or_held
from chainrule.data.sources.table_files import read_blocks, table_names, table_parts
from chainrule.domain import Domain
from chainrule.errors import InputError, unknown_name
from chainrule.likelihood import Protocol

__all__ = ["TableEncoding", "open_table"]

MOST_SYMBOLS = 256  # rows of symbols up to here are integers, which a network reads through a table


@dataclass(frozen=True)
class TableEncoding:
    """Rows of a table as elements, one a column: symbols and whole multiples of a resolution, see `Symbols`, `Numbers`.

    columns: in the order of the file. conditions: the columns that are given. dropped: the columns that were left out.
    """

    columns: tuple[Symbols | Numbers, ...]
    conditions: GivenColumns | None = None
    dropped: tuple[str, ...] = ()
    kind: ClassVar[str] = "table"
    ending: ClassVar[str] = ".csv"

    @property
    def domain(self) -> Domain:
        """What each column may hold."""
        sizes = [column.outcomes if isinstance(column, Symbols) else MOST_SYMBOLS + 1 for column in self.columns]
        num_symbols = max(sizes) if max(sizes) <= MOST_SYMBOLS else None
        return Domain((len(self.columns),), num_symbols, columns=tuple(column.cell for column in self.columns))

    @property
    def given(self) -> tuple[Symbols | Numbers, ...]:
        """The columns that are given."""
        return () if self.conditions is None else self.conditions.columns

    @property
    def protocol(self) -> Protocol:
        """How the examples are scored: all elements, given the conditions."""
        return protocol_given(self.conditions)

    def encode(self, source: Source) -> ArrayExamples:
        """The rows of another table of these columns (of its test part, if it has parts).

        A value that the column never had makes the row impossible, p(x) = 0; among given columns it is refused.
        """
        parts = table_parts(path_or_held(source))
        return self.examples(*encode_rows(parts.get("test", parts.get("")), self.columns, self.given, self.dropped))

    def examples(self, x: Array, codes: Array, impossible: Array) -> ArrayExamples:
        """Elements, the numbers of the given columns and the rows outside the domain as examples."""
        domain = self.domain
        if domain.num_symbols is not None:
            x = x.astype(np.min_scalar_type(domain.num_symbols - 1))
        context = None if self.conditions is None else self.conditions.context(codes)
        return ArrayExamples(x, context, impossible if impossible.any() else None)

    def decode(self, x: Array) -> list[list[str]]:
        """Rows of texts, one a column that is modelled."""
        columns = [column.decode(x[:, d]) for d, column in enumerate(self.columns)]
        return [list(row) for row in zip(*columns, strict=True)]

    def write(self, raw: list[list[str]], given: str | None = None) -> bytes:
        """A CSV file of rows of texts and of what was given; encoded again they are the same elements."""
        values = {} if given is None or self.conditions is None else self.conditions.values(given)
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
        writer.writerow([*values, *(column.name for column in self.columns)])
        writer.writerows([[*values.values(), *row] for row in raw])
        return text.getvalue().encode()

    def to_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "columns": [column.to_json() for column in self.columns],
            "conditions": None if self.conditions is None else self.conditions.to_json(),
            "dropped": list(self.dropped),
        }

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> TableEncoding:
        """The encoding that `to_json` wrote."""
        conditions = None if fields["conditions"] is None else GivenColumns.from_json(fields["conditions"])
        return cls(tuple(column_from_json(c) for c in fields["columns"]), conditions, tuple(fields["dropped"]))


def encode_rows(
    source: Source,
    columns: Sequence[Symbols | Numbers],
    given: Sequence[Symbols | Numbers],
    dropped: Sequence[str],
    fitting: bool = False,
) -> tuple[Array, Array, Array]:
    """Elements (N, D), the numbers of given columns (N, G), and which rows are outside the domain (N,), block by block.

    Raises InputError for columns that are missing or unknown, for given values that the column never had, and, in
    fitting, for what is no multiple of a declared resolution.
    """
    what = source if isinstance(source, str) else "the frame"
    names, wanted = table_names(source), [*columns, *given]
    for column in wanted:
        if column.name not in names:
            raise InputError(f"{what}: has no column {column.name!r} (it has {', '.join(names)}); add it")
    surplus = [name for name in names if name not in {*dropped, *(column.name for column in wanted)}]
    if surplus:
        raise InputError(f"{what}: has a column {surplus[0]!r} that the model does not know; remove it")
    small = all(isinstance(c, Symbols) and c.outcomes <= MOST_SYMBOLS for c in columns)
    pieces: list[tuple[Array, Array, Array]] = []
    start = 1
    for block in read_blocks(source):
        x = np.empty((len(block), len(columns)), dtype=np.uint8 if small else np.float64)
        codes = np.empty((len(block), len(given)))
        impossible = np.zeros(len(block), dtype=bool)

        def where(row: int, start: int = start) -> str:
            return f"{what} row {start + row}"

        for d, column in enumerate(wanted):
            texts = block.column(column.name).combine_chunks()
            gone = is_missing(texts).to_numpy(zero_copy_only=False)
            code, outside = column.encode(texts, gone, where)
            if d < len(columns):
                x[:, d] = code
                impossible |= outside
                if fitting and outside.any():
                    row = int(np.flatnonzero(outside)[0])
                    raise InputError(
                        f"{where(row)}: {texts[row].as_py()!r} in the column {column.name!r} is no "
                        f"{column.describe()}; declare the step in which it was recorded, or a density"
                    )
            else:
                codes[:, d - len(columns)] = code
                if outside.any():
                    row = int(np.flatnonzero(outside)[0])
                    raise InputError(
                        f"{where(row)}: the given column {column.name!r} has {texts[row].as_py()!r}, "
                        "which it never had in training; there is no p(x | c) for it"
                    )
        pieces.append((x, codes, impossible))
        start += len(block)
    if not pieces or start == 1:
        raise InputError(f"{what}: the table has no rows; give it examples")
    x, codes, impossible = (np.concatenate(part) for part in zip(*pieces, strict=True))
    return x, codes, impossible


def _names(text: str | Sequence[str] | None) -> list[str]:
    parts = text.split(",") if isinstance(text, str) else list(text or ())
    return [part.strip() for part in parts]


def _kinds(columns: str | Mapping[str, str] | None) -> dict[str, str]:
    if isinstance(columns, str):
        pairs = [pair.partition("=") for pair in columns.split(",")]
        columns = {name.strip(): kind.strip() for name, _, kind in pairs}
    for name, kind in (columns or {}).items():
        if kind.partition(":")[0] not in KINDS:
            raise unknown_name(f"kind of the column {name!r}", kind, KINDS)
    return dict(columns or {})


def open_table(
    source: Source,
    *,
    columns: str | Mapping[str, str] | None = None,
    drop: str | Sequence[str] | None = None,
    given: str | Sequence[str] | None = None,
    split: str = "80/10/10",
) -> DataSet:
    """A table from CSV, TSV, Parquet or Arrow, a folder with one for each split, or a pandas, polars or Arrow table.

    columns: kinds that are not to be found from the data, "age=count,zip=categorical" or a mapping; they are
    categorical, ordinal, constant, identifier, count, real, real:STEP, density and date. drop: columns to leave out.
    given: columns to condition on. split: of a single table, see `divide`; duplicates of a row stay together.
    """
    what = source if isinstance(source, str) else "the frame"
    kinds, left_out, conditions = _kinds(columns), _names(drop), _names(given)
    parts = table_parts(source)
    names = table_names(next(iter(parts.values())))
    for name in (*kinds, *left_out, *conditions):
        if name not in names:
            raise unknown_name(f"column of {what}", name, names)
    wanted = {name: kinds.get(name) for name in names if name not in left_out}

    def blocks() -> Iterator[Any]:
        for part in parts.values():
            yield from read_blocks(part)

    found = profiles(blocks, wanted)
    if not any(profile.rows for profile in found):
        raise InputError(f"{what}: the table has no rows; give it examples")
    for profile in found:
        if profile.kind == "identifier" or profile.is_row_number:
            warnings.warn(
                f"the column {profile.name!r} looks like an identifier; it is modelled, "
                f"leave it out with --drop {profile.name}",
                stacklevel=2,
            )
    encoded = {profile.name: profile.column(kinds.get(profile.name)) for profile in found}
    modelled = [column for name, column in encoded.items() if name not in conditions]
    if not modelled:
        raise InputError(f"{what}: every column is given or left out; leave one to be modelled")
    densities = [column.name for column in modelled if column.kind == "density"]
    if 0 < len(densities) < len(modelled):
        warnings.warn(
            f"the columns {', '.join(densities)} are densities and the others masses: their sum is not bits; "
            "name a resolution with --columns, or --drop them",
            stacklevel=2,
        )
    context = [encoded[name] for name in conditions]
    rows = {name: encode_rows(part, modelled, context, left_out, fitting=True)[:2] for name, part in parts.items()}
    whole = {name: (np.concatenate(pair, 1) if context else pair[0], None) for name, pair in rows.items()}
    splits, how = three_parts(whole, split)
    width = len(modelled)
    given_columns = GivenColumns.of(context, splits[0][0][:, width:]) if context else None
    encoding = TableEncoding(tuple(modelled), given_columns, tuple(left_out))
    train, valid, test = (
        encoding.examples(x[:, :width], x[:, width:], np.zeros(len(x), dtype=bool)) for x, _ in splits
    )
    note = (
        f"{sum(len(x) for x, _ in splits)} rows of {width} columns: {_told(modelled)}"
        f"{f'; given {given_columns.description}' if given_columns else ''}; "
        f"{how}: {'/'.join(str(len(x)) for x, _ in splits)}"
    )
    options = {"columns": kinds or None, "drop": left_out or None, "given": conditions or None, "split": split}
    return DataSet(what, encoding, train, valid, test, note, options)


def _told(columns: Sequence[Symbols | Numbers]) -> str:
    """The columns by name and kind; where they are many, the kinds alone."""
    if len(columns) <= 12:
        gone = ", may be missing"
        return ", ".join(f"{c.name} ({c.describe()}{gone if c.missing is not None else ''})" for c in columns)
    kinds = [column.kind for column in columns]
    told = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    missing = [column.name for column in columns if column.missing is not None]
    return told + (f"; may be missing: {', '.join(missing)}" if missing else "")
