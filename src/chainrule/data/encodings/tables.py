"""Tables: every column of its own kind, missing values an outcome, some columns perhaps given."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, ClassVar

import numpy as np

from chainrule.batch import Array
from chainrule.data.encodings.base import Encoding
from chainrule.data.encodings.column_kinds import Profile, profiles
from chainrule.data.encodings.columns import KINDS, Numbers, Symbols, column_from_json
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.encodings.given_columns import GivenColumns
from chainrule.data.encodings.table_rows import MOST_SYMBOLS, Columns, encode_rows
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.data.examples.splits import Split, three_parts
from chainrule.data.sources.objects import Source, as_source
from chainrule.data.sources.table_files import read_blocks, table_names, table_parts
from chainrule.domain import Domain
from chainrule.errors import InputError, unknown_name

__all__ = ["TableEncoding", "load_table"]


@dataclass(frozen=True)
class TableEncoding(Encoding):
    """Rows of a table as elements, one per column: symbols, or whole multiples of a resolution.

    columns: what each modelled column may hold, in the order of the file, see `Symbols` and `Numbers`.
    conditions: the given columns; None for p(x).
    dropped: the names of the columns that were left out.
    """

    columns: tuple[Symbols | Numbers, ...]
    conditions: GivenColumns | None = None
    dropped: tuple[str, ...] = ()
    kind: ClassVar[str] = "table"
    group: ClassVar[str] = "row"
    is_text: ClassVar[bool] = True
    file_endings: ClassVar[tuple[str, ...]] = (".csv",)

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

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

    def encode(self, source: Source) -> ArrayExamples:
        """The rows of another table with these columns (of its test split, if it has splits).

        A value that the column never had makes the row impossible, p(x) = 0; in a given column it raises InputError.
        """
        parts = table_parts(as_source(source))
        columns = Columns(self.columns, self.given, self.dropped)
        return self.examples(*encode_rows(parts.get("test", parts.get("")), columns))

    def examples(self, x: Array, codes: Array, impossible: Array) -> ArrayExamples:
        """Examples from elements, the numbers of the given columns, and which rows are outside the domain."""
        domain = self.domain
        if domain.num_symbols is not None:
            x = x.astype(np.min_scalar_type(domain.num_symbols - 1))
        context = None if self.conditions is None else self.conditions.context(codes)
        return ArrayExamples(x, context, impossible if impossible.any() else None)

    def decode(self, x: Array) -> list[list[str]]:
        """Rows of texts, one per modelled column."""
        columns = [column.decode(x[:, d]) for d, column in enumerate(self.columns)]
        return [list(row) for row in zip(*columns, strict=True)]

    def write(self, raw: list[list[str]], given: str | None = None) -> bytes:
        """A CSV file of rows of texts and of the given values; encoded again they are the same elements."""
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
        conditions = None if fields["conditions"] is None else GivenColumns.from_json(fields["conditions"])
        return cls(tuple(column_from_json(c) for c in fields["columns"]), conditions, tuple(fields["dropped"]))


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


def load_table(
    source: Source,
    *,
    columns: str | Mapping[str, str] | None = None,
    drop: str | Sequence[str] | None = None,
    given: str | Sequence[str] | None = None,
    split: str | None = None,
    split_seed: int = 0,
) -> DataSet:
    """A table from CSV, TSV, Parquet or Arrow, a folder with one for each split, or a pandas, polars or Arrow table.

    source: a file, a folder, a frame, or a dictionary of frames by split.
    columns: kinds of columns that cannot be found from the data, "age=count,zip=categorical" or a mapping; they are
        categorical, ordinal, constant, identifier, count, real, real:STEP, density and date.
    drop: names of the columns to leave out.
    given: names of the columns to condition on.
    split: how a single table is divided, see `Split`; None for random:80/10/10.
    split_seed: key of a random split.
    """
    what = source if isinstance(source, str) else "the frame"
    kinds, left_out, conditions = _kinds(columns), _names(drop), _names(given)
    parts = table_parts(source)
    names = table_names(next(iter(parts.values())))
    for name in (*kinds, *left_out, *conditions):
        if name not in names:
            raise unknown_name(f"column of {what}", name, names)
    found = _profiles(what, parts, {name: kinds.get(name) for name in names if name not in left_out})
    encoded = {profile.name: profile.column(kinds.get(profile.name)) for profile in found}
    modelled = [column for name, column in encoded.items() if name not in conditions]
    if not modelled:
        raise InputError(f"{what}: every column is given or left out; leave one to be modelled")
    _warn(found, modelled)
    context = [encoded[name] for name in conditions]
    chosen = Columns(modelled, context, left_out)
    rows = {name: encode_rows(part, chosen, fitting=True)[:2] for name, part in parts.items()}
    whole = {name: (np.concatenate(pair, 1) if context else pair[0], None) for name, pair in rows.items()}
    divided_by = Split.parse(split, "random", split_seed)
    splits, how = three_parts(whole, divided_by)
    width = len(modelled)
    given_columns = GivenColumns.of(context, splits[0][0][:, width:]) if context else None
    encoding = TableEncoding(tuple(modelled), given_columns, tuple(left_out))
    train, valid, test = (
        encoding.examples(x[:, :width], x[:, width:], np.zeros(len(x), dtype=bool)) for x, _ in splits
    )
    sizes = [len(x) for x, _ in splits]
    note = (
        f"{sum(sizes)} rows of {width} columns: {_describe(modelled)}"
        f"{f'; given {given_columns.description}' if given_columns else ''}; {how}: {'/'.join(map(str, sizes))}"
    )
    options = {"columns": kinds or None, "drop": left_out or None, "given": conditions or None} | divided_by.options
    return DataSet(what, encoding, train, valid, test, note, options)


def _profiles(what: str, parts: Mapping[str, Source], wanted: Mapping[str, str | None]) -> list[Profile]:
    """What the wanted columns hold, over all parts of a table."""

    def blocks() -> Iterator[Any]:
        for part in parts.values():
            yield from read_blocks(part)

    found = profiles(blocks, wanted)
    if not any(profile.rows for profile in found):
        raise InputError(f"{what}: the table has no rows; give it examples")
    return found


def _warn(found: Sequence[Profile], modelled: Sequence[Symbols | Numbers]) -> None:
    """Warn of columns that look like identifiers, and of densities beside masses."""
    for profile in found:
        if profile.kind == "identifier" or profile.is_row_number:
            warnings.warn(
                f"the column {profile.name!r} looks like an identifier; it is modelled, "
                f"leave it out with --drop {profile.name}",
                stacklevel=3,
            )
    densities = [column.name for column in modelled if column.kind == "density"]
    if 0 < len(densities) < len(modelled):
        warnings.warn(
            f"the columns {', '.join(densities)} are densities and the others masses: their sum is not bits; "
            "name a resolution with --columns, or --drop them",
            stacklevel=3,
        )


def _describe(columns: Sequence[Symbols | Numbers]) -> str:
    """The columns by name and kind; of more than twelve, how many there are of each kind."""
    if len(columns) <= 12:
        gone = ", may be missing"
        return ", ".join(f"{c.name} ({c.describe()}{gone if c.missing is not None else ''})" for c in columns)
    kinds = [column.kind for column in columns]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    missing = [column.name for column in columns if column.missing is not None]
    return counts + (f"; may be missing: {', '.join(missing)}" if missing else "")
