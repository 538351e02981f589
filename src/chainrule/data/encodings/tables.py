"""Tables: every column of its own kind, missing values an outcome, some columns perhaps given."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, ClassVar

import numpy as np

from chainrule.batch import Array
from chainrule.data.encodings.base import Encoding
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.encodings.given_columns import GivenColumns
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.data.examples.base import Examples
from chainrule.data.examples.division import Part
from chainrule.data.examples.groups import Groups
from chainrule.data.examples.in_units import in_groups
from chainrule.data.examples.splits import SPLITS
from chainrule.data.examples.stored import Progress
from chainrule.data.sources.objects import Source, as_source
from chainrule.data.sources.table_files import table_parts
from chainrule.data.tables.column_kinds import Profile
from chainrule.data.tables.columns import Numbers, Symbols, column_from_json
from chainrule.data.tables.nearest import NearestRows, nearest_rows
from chainrule.data.tables.read_tables import Asked, ReadTables, known_table, opened
from chainrule.data.tables.rows import MOST_SYMBOLS, Columns, encode_rows
from chainrule.data.tables.splits import (
    GroupColumn,
    TableSplit,
)
from chainrule.data.tables.text_tables import Reading
from chainrule.domain import Domain
from chainrule.errors import InputError

__all__ = ["TableEncoding", "load_table"]

TABLE_READER = 4  # version of the reader of tables
REPEATED = 0.05  # share of rows that repeat a value, from which a density is warned of


@dataclass(frozen=True)
class TableEncoding(Encoding):
    """Rows of a table as elements, one per column: symbols, or whole multiples of a resolution.

    columns: what each modelled column may hold, in the order of the file, see `Symbols` and `Numbers`.
    conditions: the given columns; None for p(x).
    dropped: the names of the columns that were left out.
    grouped: the column that says which rows belong together; None where every row is a unit of its own.
    """

    columns: tuple[Symbols | Numbers, ...]
    conditions: GivenColumns | None = None
    dropped: tuple[str, ...] = ()
    grouped: GroupColumn | None = None
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

    def encode(self, source: Source) -> Examples:
        """The rows of another table with these columns (of its test split, if it has splits).

        A value that the column never had makes the row impossible, p(x) = 0; in a given column it raises InputError.
        """
        parts = table_parts(as_source(source))
        return self._rows(parts.get("test", parts.get("")))

    def encode_parts(self, source: Source) -> dict[str, Examples]:
        return {name: self._rows(part) for name, part in table_parts(as_source(source)).items()}

    def _rows(self, source: Source) -> Examples:
        """The rows of one table."""
        columns = Columns(self.columns, self.given, self.dropped)
        known, other = (*self.columns, *self.given), () if self.grouped is None else (self.grouped,)
        with known_table(source, known, other) as table:
            examples = self.examples(*encode_rows(table, columns))
            groups = None if self.grouped is None else self.grouped.groups(table)
        if self.grouped is None or groups is None:
            return examples
        return in_groups(examples, self.grouped.name, groups.number, groups.names)

    def encode_nearest(self, source: Source, usual: Array) -> tuple[Examples, NearestRows]:
        """The rows of another table as the nearest rows that the columns can have, see `nearest_rows`.

        source: a table of this encoding's columns.
        usual: an element of each column, shape (D,).
        """
        with known_table(source, (*self.columns, *self.given)) as table:
            found = nearest_rows(table, Columns(self.columns, self.given, self.dropped), usual)
        return self.examples(found.x, found.codes, np.zeros(len(found.x), dtype=bool)), found

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
        } | ({} if self.grouped is None else {"grouped": self.grouped.to_json()})

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> TableEncoding:
        conditions = None if fields["conditions"] is None else GivenColumns.from_json(fields["conditions"])
        columns = tuple(column_from_json(c) for c in fields["columns"])
        grouped = GroupColumn.from_json(fields["grouped"]) if "grouped" in fields else None
        return cls(columns, conditions, tuple(fields["dropped"]), grouped)


def load_table(
    source: Source,
    *,
    columns: str | Mapping[str, str] | None = None,
    drop: str | Sequence[str] | None = None,
    given: str | Sequence[str] | None = None,
    split: str | None = None,
    split_seed: int = 0,
    split_column: str | None = None,
    header: str | int | None = None,
    delimiter: str | None = None,
    decimal: str | None = None,
    missing: str | None = None,
    dates: str | None = None,
    density: bool | None = None,
    reader: int = TABLE_READER,
    progress: Progress | None = None,
) -> DataSet:
    """A table from CSV, TSV, Parquet or Arrow, a folder with one for each split, or a pandas, polars or Arrow table.

    source: a file, a folder, a frame, or a dictionary of frames by split.
    columns: kinds of columns that cannot be found from the data, "age=count,zip=categorical" or a mapping; they are
        categorical, ordinal, ordinal:LOWEST..HIGHEST, constant, identifier, count, real, real:STEP, density and date.
    drop: names of the columns to leave out.
    given: names of the columns to condition on.
    split: how a single table is divided, see `Split`; None for random:80/10/10.
    split_seed: key of a random split.
    split_column: name of a column that says the split of each row, see `parts_by_column`; it is not modelled.
    header, delimiter, decimal, missing, dates: how a table is written, see `Reading`; None for what is found.
    density: whether every column of numbers is a density, whatever step the numbers have, see `_as_densities`.
    reader: 4; 1 to 3 read as earlier versions did, for the runs that they made: the second had no steps for numbers of
        more than 12 digits that repeat, the third no levels between those that were seen.
    progress: shows how many rows were read; None shows nothing.
    """
    if not 1 <= reader <= TABLE_READER:
        raise InputError(f"--reader is 1 to {TABLE_READER}, got {reader}")
    what = source if isinstance(source, str) else "the frame"
    reading = Reading(header, delimiter, decimal, missing, dates)
    tables = opened(table_parts(source), reading if reader > 1 else None)
    divided_by = TableSplit.of(what, tables.names, split, split_seed, split_column)
    asked = Asked.of(what, tables.names, columns, drop, given).without(divided_by.column)
    also = divided_by.read
    wanted = [name for name in tables.names if name not in asked.dropped or name in also]
    read = tables.read(wanted, asked.kinds, progress)
    found = [profile for profile in read.profiles if profile.name not in asked.dropped]
    if reader > 2:
        for profile in found:
            profile.find_fine_step()
            if reader > 3:
                profile.look_beyond()
    kinds = _as_densities(found, asked.kinds) if density else asked.kinds
    encoded = {profile.name: profile.column(kinds.get(profile.name)) for profile in found}
    conditions = set(asked.given)
    modelled = [column for name, column in encoded.items() if name not in conditions]
    if not modelled:
        raise InputError(f"{what}: every column is given or left out; leave one to be modelled")
    _warn(found, modelled)
    chosen = Columns(modelled, [encoded[name] for name in asked.given], list(asked.dropped))
    options = asked.options | divided_by.options | (reading.options if reader > 1 else {}) | {"reader": reader}
    options |= {"density": True} if density else {}
    return _data_set(what, read, chosen, divided_by, options)


def _as_densities(found: Sequence[Profile], declared: Mapping[str, str]) -> dict[str, str]:
    """The declared kinds, with every other column of numbers a density; two values at most are names all the same."""
    numbers = [p.name for p in found if p.number and p.kind in ("ordinal", "count", "real", "density")]
    return dict.fromkeys(numbers, "density") | dict(declared)


def _data_set(what: str, read: ReadTables, chosen: Columns, divided_by: TableSplit, options: dict[str, Any]) -> DataSet:
    """The data set of tables whose columns are known."""
    width = len(chosen.modelled)
    division, groups = divided_by.divided(what, read.elements(chosen), read.table)
    given_columns = GivenColumns.of(chosen.given, division.parts[0][0][:, width:]) if chosen.given else None
    grouped = divided_by.grouped({profile.name: profile.spelling for profile in read.profiles})
    encoding = TableEncoding(tuple(chosen.modelled), given_columns, tuple(chosen.dropped), grouped)
    train, valid, test = (
        _part_examples(encoding, part, next((groups[of] for of in (name, "train", "") if of in groups), None))
        for name, part in zip(SPLITS, division.parts, strict=True)
    )
    sizes = [len(x) for x, _ in division.parts]
    note = (
        f"{sum(sizes)} rows of {width} columns: {_describe(chosen.modelled)}"
        f"{f'; given {given_columns.description}' if given_columns else ''}; "
        f"{division.how}: {'/'.join(map(str, sizes))}"
    )
    said = [*_said_of_densities(chosen.modelled, division.parts[0][0]), *divided_by.said_of_groups(groups, division)]
    said += read.said()
    return DataSet(what, encoding, train, valid, test, "; ".join([note, *said]), options, divided_by.unit(division))


def _said_of_densities(columns: Sequence[Symbols | Numbers], train: Array) -> list[str]:
    """In what units the densities are, where there are any. train: elements, shape (N, D) or more columns."""
    places = [d for d, column in enumerate(columns) if column.kind == "density"]
    if not places or not len(train):
        return []
    scale = np.nanstd(train[:, places], axis=0)
    units = float(np.log(np.where(scale > 0, scale, 1.0)).sum())
    return [
        f"{len(places)} of {len(columns)} columns are densities, in nats of their own units and not bits of a code; "
        f"in standard deviations of train there are {abs(units):.6g} nats per row {'less' if units > 0 else 'more'}"
    ]


def _part_examples(encoding: TableEncoding, part: Part, groups: Groups | None) -> Examples:
    """The examples of one split, those of a group one unit. part: rows and the numbers of their groups."""
    (x, number), width = part, len(encoding.columns)
    examples = encoding.examples(x[:, :width], x[:, width:], np.zeros(len(x), dtype=bool))
    if encoding.grouped is None or number is None or groups is None:
        return examples
    return in_groups(examples, encoding.grouped.name, number, groups.names)


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
    repeated = {profile.name: profile.repeated for profile in found if profile.name in densities}
    if most := [name for name, share in repeated.items() if share > REPEATED]:
        highest = max(most, key=repeated.__getitem__)
        warnings.warn(
            f"the columns {', '.join(most)} are densities and repeat their values ({highest!r} in "
            f"{repeated[highest]:.0%} of the rows): at such a value a density can be made as high as one likes, so its "
            "nats say how narrow the model's bumps may be. Compare them with densities of others only; for masses "
            f"leave out --density, or name a step: --columns {highest}=real:STEP",
            stacklevel=3,
        )
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
