"""How a table is divided by one of its columns: by the split that stands in it, or so that no group is torn apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chainrule.batch import Array
from chainrule.data.examples.distinct import Pieces, say_distinct
from chainrule.data.examples.division import Division, Part, three_parts
from chainrule.data.examples.groups import NO_GROUP, Groups
from chainrule.data.examples.in_units import unit_of_groups
from chainrule.data.examples.splits import EmptySplit, Split
from chainrule.data.tables.cells import Spelling
from chainrule.data.tables.divided_rows import RowBlocks, filled
from chainrule.data.tables.rows import Table
from chainrule.errors import InputError, unknown_name

__all__ = ["GroupColumn", "TableSplit", "groups_of", "parts_by_column", "refuse_torn_groups"]

WORDS = {"train": 0, "valid": 1, "validation": 1, "val": 1, "dev": 1, "test": 2}  # in a column of splits


@dataclass(frozen=True)
class GroupColumn:
    """The column that says which rows belong together.

    name: the name of the column.
    spelling: how its cells are written; None by the first reader.
    """

    name: str
    spelling: Spelling | None = None

    def groups(self, table: Table) -> Groups | None:
        """The groups of the rows; None where the table has no such column."""
        return groups_of({"": table}, self.name)[""] if self.name in table.names else None

    def to_json(self) -> dict[str, Any]:
        """The fields, for a file."""
        return {"name": self.name, "spelling": None if self.spelling is None else asdict(self.spelling)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> GroupColumn:
        """The column that `to_json` wrote."""
        spelling = fields["spelling"]
        return cls(fields["name"], None if spelling is None else Spelling.from_json(spelling))


@dataclass(frozen=True)
class TableSplit:
    """How a table is divided.

    by: how its rows are divided where no column says it.
    column: the column that says the split of each row, which is not modelled; None where there is none.
    """

    by: Split
    column: str | None = None

    @classmethod
    def of(cls, what: str, names: Sequence[str], split: str | None, seed: int, column: str | None) -> TableSplit:
        """As the options of `load` say it.

        what: how messages call the table.
        names: of its columns.
        split, seed, column: the options.

        Raises InputError for a column that there is not, and where two of them say how to divide.
        """
        if column is not None and split is not None:
            raise InputError(
                f"--split {split} divides the rows and --split-column {column} says that they are divided; give one"
            )
        by = Split.parse(split, "random", seed)
        divided = cls(by, column)
        for name in divided.read:
            if name not in names:
                raise unknown_name(f"column of {what}", name, names)
        return divided

    @property
    def read(self) -> set[str]:
        """The columns that have to be read, whether they are modelled or not."""
        return {name for name in (self.by.column or None, self.column) if name is not None}

    @property
    def options(self) -> dict[str, Any]:
        """The options of `load` that say the same."""
        if self.column is None:
            return self.by.options
        return {"split": None, "split_seed": self.by.seed, "split_column": self.column}

    def divided(
        self, what: str, parts: Mapping[str, RowBlocks], table: Callable[[str, str], Table]
    ) -> tuple[Division, dict[str, Groups]]:
        """The rows of train, valid and test with the number of the group of each, and the groups of each part.

        what: how messages call the table.
        parts: its rows by split, or all of them under "".
        table: gives a part, by its name, as texts of a column.
        """
        name = self.by.column
        groups = groups_of({part: table(part, name) for part in parts}, name) if name else {}
        refuse_torn_groups(what, name, groups)
        if self.column is not None and list(parts) != [""]:
            raise InputError(f"{what}: is split into {', '.join(parts)} already; leave out --split-column")
        if len(parts) > 1:
            whole: dict[str, Part] = {
                split: (filled(part, np.zeros(part.rows, np.int8), 1)[0], groups[split].number if groups else None)
                for split, part in parts.items()
            }
            return three_parts(whole, self.by, groups=groups), groups
        ((split, part),) = parts.items()
        which, how = self._parts(split, part.rows, table, groups)
        if which is None:
            return three_parts({split: (filled(part, np.zeros(part.rows, np.int8), 1)[0], None)}, self.by), groups
        pieces = filled(part, which, 3)
        number = [groups[split].number[which == k] if groups else None for k in range(3)]
        if self.column is None:
            how = say_distinct(how, Pieces(pieces), by_content=False)
        return Division(list(zip(pieces, number, strict=True)), how), groups

    def _parts(
        self, split: str, rows: int, table: Callable[[str, str], Table], groups: Mapping[str, Groups]
    ) -> tuple[Array | None, str]:
        """The split of each row of a single table, 0, 1 or 2, None by content; and how that came about."""
        if self.column is None:
            return self.by.parts(rows, groups.get(split)), self.by.note
        which, how = parts_by_column(table(split, self.column), self.column), f"split by the column {self.column}"
        if not (which == 1).any():
            train = np.flatnonzero(which == 0)
            which[train[self.by.without_valid(train)[1]]] = 1
            how += ", valid is a sixth of train at random"
        return which, how

    def grouped(self, spellings: Mapping[str, Spelling | None]) -> GroupColumn | None:
        """The column of the groups. spellings: of the columns by name."""
        return GroupColumn(self.by.column, spellings[self.by.column]) if self.by.column else None

    def unit(self, division: Division) -> str:
        """What the unit of the standard error is, in the plural."""
        return unit_of_groups(self.by.column) if self.by.column else division.unit

    def said_of_groups(self, groups: Mapping[str, Groups], division: Division) -> list[str]:
        """How many groups there are in each split, and how many rows belong to none."""
        if not groups:
            return []
        name, sizes = self.by.column, [len(np.unique(number)) for _, number in division.parts]
        alone = sum(key.startswith(NO_GROUP) for part in groups.values() for key in part.keys)
        said = [f"{sum(sizes)} groups of {name}: {'/'.join(map(str, sizes))}"]
        return said + ([f"{alone} rows have no {name}, each is taken for a group of its own"] if alone else [])


def column_texts(table: Table, name: str) -> Any:
    """The texts of one column, over all rows, an Arrow array."""
    chunks = [chunk for block in table.blocks() for chunk in pa.chunked_array(block.column(name)).chunks]
    return pa.chunked_array([chunk.cast(pa.string()) for chunk in chunks], pa.string()).combine_chunks()


def groups_of(tables: Mapping[str, Table], name: str) -> dict[str, Groups]:
    """The groups of the rows of each part of a table; a row without a value is a group of its own.

    tables: the parts.
    name: of the column that says the group.
    """
    groups = {}
    for part, table in tables.items():
        found = column_texts(table, name).dictionary_encode()
        number = pc.fill_null(found.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        keys = [text.encode() for text in found.dictionary.to_pylist()]
        alone = np.flatnonzero(number < 0)
        number[alone] = len(keys) + np.arange(len(alone))
        groups[part] = Groups(number, keys + [NO_GROUP + b"%d" % row for row in alone.tolist()])
    return groups


def refuse_torn_groups(what: str, name: str, groups: Mapping[str, Groups]) -> None:
    """Raise InputError where a table that comes with its splits has a group in train or valid and in test."""
    if "test" not in groups:
        return
    others = {name for part in groups for name in groups[part].names if part != "test" and name}
    if torn := others & set(groups["test"].names):
        raise InputError(
            f"{what}: is split already, and {len(torn)} groups of {name!r} are in test and in another split, such as "
            f"{min(torn).decode()!r}; leave out --split group:{name}, or give all rows in one table"
        )


def parts_by_column(table: Table, name: str) -> Array:
    """The split of each row as a column says: 0, 1 or 2 for train, valid and test, shape (N,).

    table: the table.
    name: of the column, which holds train, test, and valid, validation, val or dev, in any case.

    Raises InputError for another value, which it names with its place, and where there is no train or nothing else.
    """
    texts = column_texts(table, name)
    different = texts.dictionary_encode()
    codes = np.array([WORDS.get(text.strip().casefold(), -1) for text in different.dictionary.to_pylist()] + [-1])
    which = codes[pc.fill_null(different.indices, -1).to_numpy(zero_copy_only=False)].astype(np.int8)
    if (which < 0).any():
        row = int(np.flatnonzero(which < 0)[0])
        found = "no value" if texts[row].as_py() is None else repr(texts[row].as_py())
        raise InputError(
            f"{table.where(row)}: the split column {name!r} has {found}, expected train, test, or valid (validation, "
            "val, dev); correct the row, or name another column with --split-column"
        )
    sizes = np.bincount(which, minlength=3).tolist()
    if not sizes[0] or not sizes[1] + sizes[2]:
        raise EmptySplit(
            f"the column {name!r} says {'/'.join(map(str, sizes))} rows of train/valid/test; it needs rows of train "
            "and of one more, or leave out --split-column"
        )
    return which
