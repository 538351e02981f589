"""One value, one text: numbers, truth values, dates and missing values as people write them."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import InputError
from chainrule.data.tables.cells import MISSING, Spelling, canonical, is_missing, missing_from_option, values
from chainrule.data.tables.survey import Survey
from chainrule.data.tables.typed_cells import typed_texts


def where(row):
    return f"a.csv line {row + 2}"


def survey(cells, decimal=".", thousands="", missing=MISSING, day_first=None, as_text=False):
    """The spelling of a column, found block by block, and what is said."""
    found = Survey("x", missing, decimal, thousands, as_text)
    for start in range(0, len(cells), 7):
        found.update(pa.array(cells[start : start + 7], pa.string()))
    return found.decide(where, day_first)


def read(cells, **options):
    """The kind of a column, and the canonical texts of its cells."""
    spelling, _ = survey(cells, **options)
    return spelling.kind, canonical(pa.array(cells, pa.string()), spelling).to_pylist()


COLUMNS = [  # cells, options, kind, canonical texts
    (["1", "2.50", "-3"], {}, "number", ["1", "2.5", "-3"]),
    (["1.0", "+2", "-0", "3."], {}, "number", ["1", "2", "0", "3"]),
    ([".5", "1e3", "1E-3", " 7 "], {}, "number", ["0.5", "1000", "0.001", "7"]),
    (["−1", "2"], {}, "number", ["-1", "2"]),
    (["1,5", "-2,25", "3"], {"decimal": ","}, "number", ["1.5", "-2.25", "3"]),
    (["1.234,5", "1.000", "3"], {"decimal": ",", "thousands": "."}, "number", ["1234.5", "1000", "3"]),
    (["1,234.5", "12", "1,000,000"], {"thousands": ","}, "number", ["1234.5", "12", "1000000"]),
    (["1 234", "1\u202f234", "1\u00a0234,5"], {"decimal": ",", "thousands": " "}, "number", ["1234", "1234", "1234.5"]),
    (["1'234", "5"], {"thousands": "'"}, "number", ["1234", "5"]),
    (["12%", "3.5 %", "-1%"], {}, "number", ["12", "3.5", "-1"]),
    (["$1.50", "-$2", "$ 3"], {}, "number", ["1.5", "-2", "3"]),
    (["1,50 €", "2 €"], {"decimal": ","}, "number", ["1.5", "2"]),
    (["EUR 5", "EUR 6"], {}, "number", ["5", "6"]),
    (["9007199254740993", "1"], {}, "number", ["9007199254740993", "1"]),
    (["100000000000000000000", "1e20"], {}, "number", ["100000000000000000000"] * 2),
    (["1", "NA", "", None, " ? "], {}, "number", ["1", None, None, None, None]),
    (["007", "012"], {}, "text", ["007", "012"]),
    (["$1", "€2"], {}, "text", ["$1", "€2"]),
    (["1,5", "2,5"], {}, "text", ["1,5", "2,5"]),
    (["1.5", "1.7"], {"decimal": ",", "thousands": "."}, "text", ["1.5", "1.7"]),
    (["1.2.3", "4.5.6"], {}, "text", ["1.2.3", "4.5.6"]),
    (["0x10", "1_000"], {}, "text", ["0x10", "1_000"]),
    (["1", "x"], {}, "text", ["1", "x"]),
    ([" a", "a"], {}, "text", [" a", "a"]),
    (["", None], {}, "text", [None, None]),
    (["1", "2"], {"as_text": True}, "text", ["1", "2"]),
    (["True", "false", "TRUE"], {}, "boolean", ["true", "false", "true"]),
    (["true", "1", "0", "NA"], {}, "boolean", ["true", "true", "false", None]),
    (["1", "0"], {}, "number", ["1", "0"]),
    (["0"] * 7 + ["1"] * 7 + ["true"], {}, "boolean", ["false"] * 7 + ["true"] * 8),
    (["yes", "no"], {}, "text", ["yes", "no"]),
    (["2024-02-29", "2024-3-1"], {}, "date", ["2024-02-29", "2024-03-01"]),
    (["2024-02-29 00:00:00", "2024-02-29T00:00"], {}, "date", ["2024-02-29"] * 2),
    (["2024-02-29 12:30", "2024-02-29T12:30:05"], {}, "date", ["2024-02-29T12:30:00", "2024-02-29T12:30:05"]),
    (["2024-02-29 12:30:05.120", "2024-02-29"], {}, "date", ["2024-02-29T12:30:05.12", "2024-02-29"]),
    (["2024-02-29T12:30:05.123456Z"], {}, "date", ["2024-02-29T12:30:05.123456"]),
    (
        ["2024-02-29T01:00:00+02:00", "2024-02-29T01:00:00-0530"],
        {},
        "date",
        ["2024-02-28T23:00:00", "2024-02-29T06:30:00"],
    ),
    (["2024-02-29 10:00 UTC"], {}, "date", ["2024-02-29T10:00:00"]),
    (["29/02/2024", "01/03/2024"], {}, "date", ["2024-02-29", "2024-03-01"]),
    (["2/29/2024", "3/1/2024"], {}, "date", ["2024-02-29", "2024-03-01"]),
    (["1/2/2024"] * 7 + ["1/13/2024"], {}, "date", ["2024-01-02"] * 7 + ["2024-01-13"]),
    (["29.02.2024", "01.03.2024 08:15"], {}, "date", ["2024-02-29", "2024-03-01T08:15:00"]),
    (["1/2/2024"], {}, "date", ["2024-02-01"]),
    (["1/2/2024"], {"day_first": False}, "date", ["2024-01-02"]),
    (["2/29/2024 1:05 PM", "2/29/2024 12:00 am"], {}, "date", ["2024-02-29T13:05:00", "2024-02-29"]),
    (["2024/02/29"], {}, "date", ["2024-02-29"]),
    (["31/12/20", "1/2/69"], {}, "date", ["2020-12-31", "1969-02-01"]),
    (["19-Sep-03", "1-MAY-99"], {}, "date", ["2003-09-19", "1999-05-01"]),
    (["19 September 2003", "1 Mar 2004 10:30"], {}, "date", ["2003-09-19", "2004-03-01T10:30:00"]),
    (["Sep 19, 2003", "May 1 2004"], {}, "date", ["2003-09-19", "2004-05-01"]),
    (["mark 1", "may"], {}, "text", ["mark 1", "may"]),
    (["1.2.20", "1.3.10"], {}, "text", ["1.2.20", "1.3.10"]),
    (
        ["1969-12-31 23:59:59.5", "0001-01-01", "9999-12-31"],
        {},
        "date",
        ["1969-12-31T23:59:59.5", "0001-01-01", "9999-12-31"],
    ),
    (["2024-02-29", "soon"], {}, "text", ["2024-02-29", "soon"]),
    (["99-99-2024", "88-88-2024"], {}, "text", ["99-99-2024", "88-88-2024"]),
    (["12:30", "13:45"], {}, "text", ["12:30", "13:45"]),
]


@pytest.mark.parametrize(("cells", "options", "kind", "texts"), COLUMNS)
def test_a_column_is_read_as_a_person_would(cells, options, kind, texts):
    assert read(cells, **options) == (kind, texts)


@pytest.mark.parametrize(("cells", "options", "kind", "texts"), COLUMNS)
def test_canonical_texts_are_fixed_points(cells, options, kind, texts):
    spelling = Spelling(kind)
    assert canonical(pa.array(texts, pa.string()), spelling).to_pylist() == texts


@pytest.mark.parametrize(
    ("odd", "shown"),
    [
        ("-", "'-' (a.csv line 14)"),
        ("n/a", "'n/a'"),
        ("inf", "'inf'"),
        ("1O", "'1O'"),
        ("5%", "'5%'"),
        ("1e999", "1e999"),
    ],
)
def test_a_number_column_with_a_typo_is_refused(odd, shown):
    cells = [str(k) for k in range(12)] + [odd] + ["7"]
    with pytest.raises(InputError) as error:
        survey(cells)
    assert all(
        part in str(error.value) for part in (shown, "'x'", "13 of 14", f"--missing '{odd}'", "--columns x=categorical")
    )
    kind, texts = read(cells, missing=(*MISSING, odd))
    assert (kind, texts[12]) == ("number", None)
    assert read(cells, as_text=True)[0] == "text"


def test_the_rule_of_nine_in_ten():
    assert survey(["1"] * 90 + ["-"] * 10)[0].kind == "text"
    with pytest.raises(InputError, match=r"not in '-' \(a.csv line 93\).* and 4 more"):
        survey(["1"] * 91 + ["-"] * 9)


def test_infinite_numbers_are_refused_however_many():
    with pytest.raises(InputError, match="'inf'"):
        survey(["1", "2", "inf", "-Infinity"])


@pytest.mark.parametrize(
    "odd", ["2023-02-29", "2024-13-01", "2024-02-30", "2024-01-01 25:00", "0000-01-01", "30 Feb 2024"]
)
def test_an_impossible_date_names_its_line(odd):
    with pytest.raises(InputError, match=rf"'{odd}' \(a\.csv line 3\)"):
        survey(["2024-02-29", odd, "2024-03-01"])


def test_dates_in_both_orders_are_refused():
    with pytest.raises(InputError, match=r"'1/31/2024' \(a\.csv line 14\)"):
        survey(["31/1/2024"] * 12 + ["1/31/2024"])


def test_open_orders_are_said():
    assert "--dates month-first" in survey(["1/2/2024", "3/4/2024"])[1][0]
    for cells in (["1/2/2024", "31/1/2024"], ["1/2/2024", "12/31/2024"], ["5/5/2024"], ["2024-01-02"]):
        assert survey(cells)[1] == []


def test_words_for_missing_values_are_said():
    kind, said = survey(["DE", "FR", "NA"])
    assert kind.kind == "text"
    assert "'NA' in the column 'x' stands for a missing value in 1 rows" in said[0]
    _, said = survey(["Smith", "Null", "Jones"])
    assert "'Null' in the column 'x' (a.csv line 3) is read as a value" in said[0]
    assert survey(["1", "2", "NA"])[1] == []
    assert survey(["DE", "FR", "NA"], missing=("",))[1] == [
        "'NA' in the column 'x' (a.csv line 4) is read as a value; --missing 'NA' if it is none"
    ]


def test_short_years_are_said():
    assert survey(["31/12/20"])[1] == ["the years of two digits of 'x' are read as 1969 to 2068"]


def test_units_are_said():
    assert survey(["5%", "6%"])[1] == ["the numbers of 'x' are read without '%'"]


def test_missing():
    assert missing_from_option(None) == MISSING
    assert missing_from_option("-, n/a") == ("", "-", "n/a")
    assert missing_from_option("") == ("",)
    assert is_missing(pa.array(["-", "", None, "a", " - "]), ("", "-")).to_pylist() == [True, True, True, False, True]


def test_values():
    assert values(pa.array(["1.234,5", "x", "?", "2"]), Spelling("number", decimal=",", thousands=".")).tolist()[
        0::3
    ] == [1234.5, 2]
    assert np.isnan(values(pa.array(["1.234,5", "x", "?", "2"]), Spelling("number", decimal=","))[[0, 1, 2]]).all()
    assert values(pa.array(["True", "0"]), Spelling("boolean")).tolist() == [1, 0]
    assert values(pa.array(["1970-01-02T00:00:00.5", "1/2/1970"]), Spelling("date")).tolist() == [86400.5, 31 * 86400]
    assert values(pa.array(["12 %"]), Spelling("number", unit="%")).tolist() == [12]
    assert np.isnan(values(pa.array(["12"]), Spelling("number", unit="%"))).all()
    assert np.isnan(values(pa.array([None, "a"]), Spelling())).all()


def test_a_spelling_is_kept_in_a_file():
    spelling = Spelling("number", ("", "-"), ",", ".", "€", False)
    assert Spelling.from_json(spelling.to_json() | {"missing": ["", "-"]}) == spelling


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_every_double_has_one_text(x):
    texts = typed_texts(pa.array(x, pa.float64()), "x")
    assert [float(text) for text in texts.to_pylist()] == x
    for spelled in (
        map(repr, x),
        (f"{value:.17e}" for value in x),
        (f"+{abs(value)!r}" if value >= 0 else repr(value) for value in x),
    ):
        assert canonical(pa.array(list(spelled)), Spelling("number")).to_pylist() == texts.to_pylist()


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=20))
def test_every_integer_has_one_text(x):
    assert typed_texts(pa.array(x, pa.int64()), "x").to_pylist() == list(map(str, x))
    assert canonical(pa.array([f"{value:+d}" for value in x]), Spelling("number")).to_pylist() == list(map(str, x))


@given(st.lists(st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)), min_size=1, max_size=20))
def test_every_time_has_one_text(x):
    texts = typed_texts(pa.array(x, pa.timestamp("us")), "x").to_pylist()
    zone = dt.timezone(dt.timedelta(hours=5, minutes=30))
    spellings = [
        [str(value) for value in x],
        [value.isoformat() + "Z" for value in x],
        [value.replace(tzinfo=dt.UTC).astimezone(zone).isoformat() for value in x],
        [value.strftime("%d/%m/%Y %H:%M:%S.%f") for value in x],
    ]
    for spelled in spellings:
        assert canonical(pa.array(spelled), Spelling("date")).to_pylist() == texts
    assert typed_texts(pa.array(x, pa.timestamp("ns", "Asia/Tokyo")), "x").to_pylist() == texts


TYPED = [
    (pa.array([True, None]), ["true", None]),
    (pa.array([1, 2], pa.uint8()), ["1", "2"]),
    (pa.array([0.1, 2.0], pa.float32()), ["0.1", "2"]),
    (pa.array([np.nan, 1e-7]), [None, "0.0000001"]),
    (pa.array([Decimal("1.50"), Decimal("2.00"), None]), ["1.5", "2", None]),
    (pa.array(["b", "a", None]).dictionary_encode(), ["b", "a", None]),
    (pa.array([1.0, 2.0]).dictionary_encode(), ["1", "2"]),
    (pa.array([dt.date(2024, 2, 29)]), ["2024-02-29"]),
    (pa.array([dt.datetime(2024, 2, 29)], pa.timestamp("s")), ["2024-02-29"]),
    (pa.array([None, None]), [None, None]),
    (pa.chunked_array([["a"], ["b"]]), ["a", "b"]),
    (pa.array(["a"], pa.large_string()), ["a"]),
]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_durations_and_times_of_the_day_have_one_text_in_every_unit(unit):
    seconds = pa.array([0, 90, -7, None]).cast(pa.duration("s")).cast(pa.duration(unit))
    assert typed_texts(seconds, "x").to_pylist() == ["0", "90", "-7", None]
    kind = pa.time32(unit) if unit in ("s", "ms") else pa.time64(unit)
    times = pa.array([dt.time(1, 0), dt.time(23, 59, 50), None]).cast(kind)
    assert typed_texts(times, "x").to_pylist() == ["01:00:00", "23:59:50", None]
    if unit != "s":
        assert (
            typed_texts(pa.array([-1500, 1]).cast(pa.duration("ms")).cast(pa.duration(unit)), "x")[0].as_py() == "-1.5"
        )
        assert typed_texts(pa.array([dt.time(1, 0, 0, 500_000)]).cast(kind), "x").to_pylist() == ["01:00:00.5"]


def test_times_finer_than_a_microsecond_are_said():
    texts = typed_texts(pa.array([1_700_000_000_123_456_789, None], pa.timestamp("ns")), "x")
    assert texts.to_pylist() == ["2023-11-14T22:13:20.123456789", None]
    assert survey(texts.drop_null().to_pylist())[1] == [
        "the times of 'x' are read to the microsecond; what is finer is left out"
    ]


@pytest.mark.parametrize(("cells", "texts"), TYPED)
def test_typed_cells(cells, texts):
    assert typed_texts(cells, "x").to_pylist() == texts


@pytest.mark.parametrize("cells", [pa.array([[1]]), pa.array([{"a": 1}]), pa.array([b"x"]), pa.array([1.0, np.inf])])
def test_typed_cells_that_are_refused(cells):
    with pytest.raises(InputError, match="--drop x"):
        typed_texts(cells, "x")
