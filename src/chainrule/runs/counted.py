"""Archives without a run: the rows of a table or an array, by counts that both sides learn while they code.

The archive holds how the file becomes elements and which elements each is counted by, found by the side that writes;
nothing is trained, and everything is counted.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.batch import Array
from chainrule.coding.coded import GROUP, Coded, coded_examples, plain_elements
from chainrule.coding.counts import MOST_SYMBOLS, Counts, Element, code_rows, count_blocks, elements_from_json
from chainrule.coding.elements import Reader, Writer
from chainrule.coding.groups import ELEMENTS, MODEL, Archive, Group
from chainrule.coding.range_coder import decoder, encoder, words_of
from chainrule.coding.side import packed, side_plain
from chainrule.data.encodings.base import Encoding
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.examples.base import Examples
from chainrule.data.recognition.load import load
from chainrule.data.recognition.registry import encoding_from_json
from chainrule.data.sources.table_files import is_table, table_parts
from chainrule.data.tables.read_tables import opened
from chainrule.data.tables.text_tables import Reading
from chainrule.domain import Column, Domain
from chainrule.errors import DamagedArchive, InputError
from chainrule.runs.code_examples import alone
from chainrule.runs.progress import Progress
from chainrule.runs.wellformed import damage_of_encoding

__all__ = [
    "Counted",
    "coded_to_count",
    "counted_groups",
    "counted_of",
    "counted_sequences",
    "encoding_of",
    "rows_to_count",
    "symbols_of",
]

WHOLE = "100/0/0"  # shares of a split that is not used, so that values are taken from all rows
MOST_STEPS = 1 << 19  # columns times blocks of rows; each takes some 60 microseconds
ROWS_OF_A_VALUE = 4  # rows for each different number of a column that is counted


@dataclass(frozen=True)
class Counted:
    """What an archive without a run holds in its place.

    of_file: how the file becomes elements.
    elements: what each is counted by, in the order in which they are coded.
    """

    of_file: Encoding
    elements: tuple[Element, ...]

    def encoding(self) -> Encoding:
        """How the file becomes elements."""
        return self.of_file

    def content(self) -> bytes:
        """The bytes that travel in the archive, see `counted_of`."""
        elements = [[e.place, list(e.parents), list(e.strengths)] for e in self.elements]
        said = {"encoding": self.of_file.to_json(), "elements": elements}
        return json.dumps(said, separators=(",", ":")).encode()

    @property
    def per_group(self) -> int:
        """The number of rows of a group."""
        return max(1, GROUP // len(self.elements))


def symbols_of(domain: Domain) -> list[int]:
    """The number of symbols of each element; raises InputError where elements are no symbols.

    >>> symbols_of(Domain((3,), 2))
    [2, 2, 2]
    """
    if domain.columns:
        known = [(column.num_symbols, column.missing) for column in domain.columns]
    else:
        known = [(domain.num_symbols, False)] * domain.length
    symbols = [count + missing for count, missing in known if count is not None]
    if len(symbols) < len(known):
        raise InputError(
            f"{len(known) - len(symbols)} of {len(known)} columns hold numbers, and symbols alone are counted; fit a "
            "model and name it with --model"
        )
    if sum(symbols) > MOST_SYMBOLS:
        raise InputError(f"the columns have {sum(symbols)} symbols, and at most {MOST_SYMBOLS} are counted")
    return symbols


def encoding_of(path: Path) -> Encoding:
    """How a file becomes elements, with the values of all of it; raises InputError where it is no rows of symbols."""
    with alone(path) as place, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they advise on what to fit
        try:
            data = _read(str(place))
        except InputError as error:
            raise InputError(str(error).replace(str(place), str(path))) from None
    if data.train.windows is not None or data.encoding.conditions is not None:
        raise InputError("it holds no rows of one length, and these alone are counted; name a model with --model")
    return data.encoding


def _read(place: str) -> DataSet:
    """The data set of a file of symbols; a table that is not read as it is may be one of names, or without a header."""
    try:
        return _with_symbols(place, _loaded(place, {}))
    except InputError:
        if not is_table(Path(place)):
            raise
        for options in ({}, {"header": "no"}):
            try:
                return _of_names(place, options)
            except InputError:
                continue
        raise


def _loaded(place: str, options: dict[str, Any]) -> DataSet:
    try:
        return load(place, split=WHOLE, **options)
    except InputError:  # of another kind, whose splits are others
        return load(place, **options)


def _of_names(place: str, options: dict[str, Any]) -> DataSet:
    """A table all of whose columns are read as names, whatever they look like.

    place: the file.
    options: of `load`.
    """
    names = opened(table_parts(place), Reading(**options)).names
    data = _loaded(place, options | {"columns": dict.fromkeys(names, "categorical")})
    return _without_many(place, data, names, options)


def _with_symbols(place: str, data: DataSet) -> DataSet:
    """A table whose columns of numbers are read as names; those of too many different ones are left to the difference.

    place: the file.
    data: as it was loaded.
    """
    numbers = _columns_of(data, lambda column: column.num_symbols is None)
    if not numbers:
        return data
    as_names = _loaded(place, {"columns": dict.fromkeys(numbers, "categorical")})
    return _without_many(place, as_names, numbers, {})


def _without_many(place: str, as_names: DataSet, columns: Sequence[str], options: dict[str, Any]) -> DataSet:
    """The table without those columns that have too many different values.

    place: the file.
    as_names: the table with these columns read as names.
    columns: their names.
    options: of `load`.
    """
    most = max(2, len(as_names.train) // ROWS_OF_A_VALUE)
    many = set(_columns_of(as_names, lambda column: (column.num_symbols or 0) > most)) & set(columns)
    if not many:
        return as_names
    if len(many) == len(as_names.encoding.column_names):
        raise InputError("every column holds numbers that hardly ever repeat; fit a model and name it with --model")
    kept = {name: "categorical" for name in columns if name not in many}
    return _loaded(place, options | {"drop": sorted(many)} | ({"columns": kept} if kept else {}))


def _columns_of(data: DataSet, chosen: Callable[[Column], bool]) -> list[str]:
    """The names of the columns of a table that are of some kind; none for other data."""
    pairs = zip(data.encoding.column_names, data.encoding.domain.columns, strict=False)
    return [name for name, column in pairs if chosen(column)]


def coded_to_count(parts: dict[str, Examples], domain: Domain) -> Coded:
    """The rows of a file as they are coded; raises InputError where that would take too long."""
    coded = coded_examples(list(parts.values()), domain, domain.length, 1)
    if domain.length * (blocks := count_blocks(len(coded.sequences))) > MOST_STEPS:
        raise InputError(
            f"{domain.length} columns in {len(coded.sequences)} rows would take {domain.length * blocks:,} steps of "
            f"counting, and {MOST_STEPS:,} are taken at most; fit a model and name it with --model"
        )
    return coded


def rows_to_count(coded: Coded, symbols: list[int]) -> Array:
    """The rows, int64, shape (N, D)."""
    return np.stack([*coded.sequences]).astype(np.int64) if coded.sequences else np.zeros((0, len(symbols)), np.int64)


def counted_groups(counted: Counted, coded: Coded, advance: Callable[[int], Any]) -> list[Group]:
    """The groups of what is counted and of the rows.

    counted: what the archive holds in place of a run.
    coded: the rows.
    advance: called with the number of elements that were coded since the last call.
    """
    content = counted.content()
    groups = [Group.of(MODEL, content, packed(content))]
    counts, size = Counts(list(counted.elements)), counted.per_group
    for start in range(0, len(coded.sequences), size):
        part = coded.sequences[start : start + size]
        coder = encoder()
        code_rows(Writer(coder), counts, np.stack(part).astype(np.int64), len(part), advance)
        groups.append(Group.of(ELEMENTS, plain_elements(part), coder.words().astype("<u4").tobytes()))
    return groups


def counted_of(archive: Archive) -> Counted:
    """What an archive holds in place of a run; raises DamagedArchive where it cannot be read."""
    groups = archive.of_kind(MODEL)
    if len(groups) != 1:
        raise DamagedArchive("the archive does not say what is counted; it is damaged, fetch it again")
    try:
        said = json.loads(side_plain(groups[0]))
        encoding = encoding_from_json(said["encoding"])
        domain, elements = encoding.domain, said["elements"]
        if (damage := damage_of_encoding(encoding)) is not None:
            raise ValueError(damage)
        if len(elements) != domain.length:
            raise ValueError(f"{domain.length} elements, and what {len(elements)} are counted by")
        symbols = symbols_of(domain)
    except DamagedArchive:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        raise DamagedArchive(f"what is counted cannot be read ({error}); the archive is damaged") from None
    return Counted(encoding, tuple(elements_from_json(elements, symbols)))


def counted_sequences(
    archive: Archive, counted: Counted, rows: tuple[int, int] | None, progress: Progress
) -> list[Array]:
    """Rows of an archive; what stands before them is decoded, too, since the counts are of it.

    archive: the archive.
    counted: what it holds in place of a run.
    rows: first row and the one after the last; None for all.
    progress: shows how far it is.
    """
    count, size, width = archive.header["sequences"], counted.per_group, len(counted.elements)
    groups = archive.of_kind(ELEMENTS)
    if count < 0 or len(groups) != -(-count // size) or sum(g.plain_length for g in groups) != 8 * width * count:
        raise DamagedArchive("the header and the groups do not fit each other; the archive is damaged, fetch it again")
    first, last = (0, count) if rows is None else rows
    if not 0 <= first <= last <= count:
        raise InputError(f"the archive has {count} examples, got --rows {first}:{last}")
    counts, found = Counts(list(counted.elements)), list[Array]()
    with progress("decompressing", width * last) as update:
        for number, group in enumerate(groups[: -(-last // size)]):
            many = min(size, count - number * size)
            x = code_rows(Reader(decoder(words_of(group.code))), counts, None, many, update)
            part = list(x.astype(np.float64))
            group.check(plain_elements(part))
            found += part
    return found[first:last]
