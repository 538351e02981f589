"""One pass over a table gives what column by column, cell by cell, is found: kinds, spellings, words and elements."""

from contextlib import contextmanager

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import InputError
from chainrule.data import load
from chainrule.data.tables import cached_columns, cached_profiles, text_tables
from chainrule.data.tables.cached_tables import cache_tables
from chainrule.data.tables.cell_blocks import canonical_block
from chainrule.data.tables.cells import MISSING, canonical
from chainrule.data.tables.column_kinds import Recount, profiles
from chainrule.data.tables.plain_cells import doubles, doubles_of_block
from chainrule.data.tables.rows import Columns, Table, encode_rows
from chainrule.data.tables.survey import Survey
from chainrule.data.tables.text_tables import Reading, TextTable

CELLS = {
    "numbers": ["1", "2.50", "-3", "+4", "1e3", "", "NA", None],
    "whole": ["1", "2", "10", "-0"],
    "large": ["9007199254740993", "1152921504606846977", "3"],
    "binary": ["0", "1"],
    "codes": ["007", "12", "0"],
    "texts": ["a", "b", "NA", "Null", "?"],
    "dates": ["2024-02-29", "2024-03-01 10:00", " ? "],
    "truth": ["true", "False"],
    "units": ["1%", "2 %", "+3.50%"],
    "spaced": [" 1", "2 ", "−7"],
    "mixed": ["1", "2", "x", "y"],
}


def blocks(seed, columns, sizes=(20, 1, 7, 30)):
    """Blocks of a table of columns of every kind; some kinds change from block to block."""
    rng = np.random.default_rng(seed)
    kinds = [list(CELLS)[k % len(CELLS)] for k in range(columns)]
    made = []
    for number, rows in enumerate(sizes):
        cells = [
            [CELLS[kind][k] for k in rng.integers(0, 2 if kind == "mixed" and number < 2 else len(CELLS[kind]), rows)]
            for kind in kinds
        ]
        made.append(pa.table([pa.array(c, pa.string()) for c in cells], names=[f"x{k}" for k in range(columns)]))
    return made


def one_by_one(tables, kinds):
    """The spellings, what is said, the profiles and the elements, column by column and text by text."""
    names = tables[0].column_names
    found = []
    for name in names:
        survey = Survey(name)
        for block in tables:
            survey.update(block.column(name))
        found.append(survey.decide(lambda row: f"row {row}"))
    spellings = {name: spelling for name, (spelling, _) in zip(names, found, strict=True)}

    def texts():
        return (canonical_block(block, list(spellings.values())) for block in tables)

    profiled = profiles(texts, {name: kinds.get(name) for name in names}, spellings)
    columns = Columns([profile.column(kinds.get(profile.name)) for profile in profiled], [], [])
    x = encode_rows(Table("t", names, texts, str), columns, fitting=True)[0]
    return spellings, [note for _, notes in found for note in notes], columns.modelled, x


def held(tables, kinds, joined=False):
    """The same from one pass."""
    names = tuple(tables[0].column_names)

    def read(wanted):
        chosen = [block.select(list(wanted)) for block in tables]
        return iter([pa.concat_tables(chosen)] if joined else chosen)

    table = TextTable("t", names, read, lambda row: f"row {row}")
    found = cache_tables({"": table}, names, (), Reading(), lambda rows: None)
    columns = Columns([profile.column(kinds.get(profile.name)) for profile in found.profiles(kinds)], [], [])
    x = np.concatenate(list(found.elements("", columns)))
    assert len(x) == found.rows("")
    return found.spellings, found.notes, columns.modelled, x


@pytest.mark.parametrize(("columns", "seed"), [(11, 0), (11, 1), pytest.param(110, 2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("joined", [False, True])
def test_one_pass_finds_what_each_column_alone_gives(columns, seed, joined):
    tables = blocks(seed, columns)
    expected, found = one_by_one(tables, {}), held(tables, {}, joined)
    assert found[:3] == expected[:3]
    assert np.array_equal(found[3], expected[3], equal_nan=True)


@pytest.mark.slow
def test_columns_that_cannot_be_kept_are_read_again(monkeypatch):
    monkeypatch.setattr(cached_columns, "MOST_TEXTS", 3)
    monkeypatch.setattr(cached_profiles, "CELLS", 40)
    monkeypatch.setattr(text_tables, "JOINED", 500)
    tables = blocks(5, 110)
    expected, found = one_by_one(tables, {}), held(tables, {})
    assert found[:3] == expected[:3]
    assert np.array_equal(found[3], expected[3], equal_nan=True)


def outcome(function, *arguments):
    try:
        return function(*arguments)
    except (InputError, Recount) as error:
        return type(error), str(error)


cell = st.sampled_from(
    ["1", "2.5", "-3", "007", "x", "y z", "NA", "", "1%", "2%", "true", "1/2/2024", "13/1/2024", "inf"]
)


@settings(max_examples=40)
@given(st.lists(st.lists(st.tuples(cell, cell), min_size=1, max_size=14), min_size=1, max_size=3), st.booleans())
def test_any_cells_give_the_same_answer_or_the_same_error(rows, joined):
    tables = [
        pa.table({name: pa.array([row[k] or None for row in block], pa.string()) for k, name in enumerate("ab")})
        for block in rows
    ]
    expected, found = outcome(one_by_one, tables, {}), outcome(held, tables, {}, joined)
    if isinstance(expected[0], type):
        assert found == expected
        return
    assert found[:3] == expected[:3]
    assert np.array_equal(found[3], expected[3], equal_nan=True)


def test_the_error_for_a_late_cell_names_the_first_numbers_too():
    tables = [pa.table({"a": pa.array(["1"] * 3)}), pa.table({"a": pa.array(["2%"] * 40)})]
    with pytest.raises(InputError, match=r"'1' \(row 0\), '1' \(row 1\), '1' \(row 2\)"):
        held(tables, {})


@given(st.lists(st.one_of(st.none(), st.text("0123456789+-.eE xna", max_size=6)), max_size=8), st.integers(0, 2))
def test_plain_numbers(cells, start):
    texts = pa.array(["x"] * start + cells, pa.string()).slice(start)
    found = doubles(texts, MISSING)
    survey = Survey("x")
    survey.update(texts)
    assert (found is not None) == (
        survey.counts["number"] == survey.present == survey.counts["unit "] and _plain(texts)
    )


def _plain(texts):
    present = [text for text in texts.to_pylist() if text is not None and text.strip() not in MISSING]
    return all(text == text.strip() for text in present)


def test_a_number_that_stands_for_a_missing_value():
    assert doubles(pa.array(["1", "-999", "2"]), ("", "-999")).tolist()[::2] == [1, 2]
    assert np.isnan(doubles(pa.array(["1", "-999", "2"]), ("", "-999"))[1])


def test_plain_columns_are_found_among_many():
    block = pa.table({f"x{k}": pa.array(["1", "x" if k % 7 == 0 else "2"]) for k in range(100)})
    found = {k for some, _ in doubles_of_block(block, range(100), MISSING) for k in some}
    assert found == {k for k in range(100) if k % 7}


def test_canonical_texts_of_alike_columns_are_made_together():
    tables = blocks(1, 22)
    names = tables[0].column_names
    table = TextTable("t", tuple(names), lambda wanted: iter(tables), str)
    found = cache_tables({"": table}, names, (), Reading(), lambda rows: None)
    for name, texts in found.texts.items():
        column = found.columns[name]
        assert texts.to_pylist() == canonical(column.texts, found.spellings[name]).to_pylist()


def test_a_decimal_mark_that_a_sample_did_not_see_is_refused_with_its_line(tmp_path):
    path = tmp_path / "a.csv"
    rows = ["1.234;;x\n"] * 40_000
    rows[30_000:30_003] = ["1.234;0,5;x\n", "1.234;7;y\n", "1.234;2,25;y\n"]
    path.write_text("a;b;c\n" + "".join(rows))
    with pytest.raises(InputError, match=r"a\.csv line 30002: '0,5' in the column 'b' .*--decimal ','"):
        load(str(path))
    columns = load(str(path), decimal=",").encoding.columns
    assert (columns[0].values, columns[1].kind) == (("1234",), "real") or columns[0].values == ("1.234",)
    assert load(str(path), columns="b=categorical").encoding.columns[1].kind == "categorical"


def test_opening_shows_a_bar_of_all_rows(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1.5,x\n2.5,y\n" * 50_000)
    seen = []

    @contextmanager
    def progress(what, total):
        seen.append((what, total))
        yield seen.append

    data = load(str(path), progress=progress)
    assert seen[0] == (f"opening {path}", 100_000)
    assert len(seen) > 2
    assert sum(seen[1:]) == 100_000
    assert data.digest() == load(str(path)).digest()
    load(pa.table({"a": ["x", "y"] * 30}), progress=progress)
    assert sum(seen[-1:]) == 60


def test_opening_can_be_interrupted(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n" + "1.5,x\n2.5,y\n" * 200_000)

    @contextmanager
    def progress(what, total):
        def stop(rows):
            raise KeyboardInterrupt

        yield stop

    with pytest.raises(KeyboardInterrupt):
        load(str(path), progress=progress)
    assert load(str(path)).encoding.kind == "table"
