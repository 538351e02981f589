"""Rows with values that the columns cannot have."""

import numpy as np
import pandas as pd
import pytest

from chainrule import InputError
from chainrule.data import load

FRAME = pd.DataFrame(
    {
        "size": ["1.5", "2.5", "3", "0.5"] * 20,
        "n": ["0", "70", "150", "3"] * 20,
        "stars": ["1", "2", "5", "2"] * 20,
        "city": ["Rome", "Oslo", "Rome", "Bari"] * 20,
        "day": ["2024-02-29", "2024-03-01", "2024-03-05", "2024-03-02"] * 20,
    }
)
ENCODING = load(FRAME, columns="n=count").encoding
USUAL = np.array([3.0, 7.0, 1.0, 0.0, 19780.0])


def nearest(**cells):
    row = {"size": "1.5", "n": "70", "stars": "2", "city": "Rome", "day": "2024-03-01"} | cells
    examples, found = ENCODING.encode_nearest(pd.DataFrame([row]), USUAL)
    return examples.batch(np.arange(1)).x[0].tolist(), found.between[0].tolist(), found.outside[0].tolist()


def test_possible_rows_are_encoded_as_ever():
    examples, found = ENCODING.encode_nearest(FRAME, USUAL)
    all_rows = np.arange(len(FRAME))
    assert np.array_equal(examples.batch(all_rows).x, ENCODING.encode(FRAME).batch(all_rows).x)
    assert not found.between.any()
    assert not found.outside.any()


@pytest.mark.parametrize(
    ("column", "text", "element", "kind"),
    [
        ("size", "1.6", 3.0, "between"),
        ("size", "large", 3.0, "outside"),
        ("size", "1e400", 3.0, "outside"),
        ("size", None, 3.0, "outside"),
        ("n", "-4", 0.0, "outside"),
        ("n", "70.4", 70.0, "between"),
        ("stars", "9", 4.0, "outside"),
        ("stars", "many", 1.0, "outside"),
        ("stars", "3", 2.0, "possible"),
        ("city", "Kyiv", 0.0, "outside"),
        ("day", "2024-02-30", 19780.0, "outside"),
        ("day", "tomorrow", 19780.0, "outside"),
        ("day", "2024-03-01T11:00:00", 19783.0, "between"),
    ],
)
def test_a_value_becomes_the_nearest_or_the_usual_one(column, text, element, kind):
    place = list(FRAME.columns).index(column)
    x, between, outside = nearest(**{column: text})
    assert x[place] == element
    assert (between[place], outside[place]) == (kind == "between", kind == "outside")
    assert sum(between) + sum(outside) == (kind != "possible")


def test_levels_between_those_that_were_seen_are_possible():
    column = ENCODING.columns[2]
    assert column.values == ("1", "2", "3", "4", "5")
    assert load(FRAME, reader=3).encoding.columns[2].values == ("1", "2", "5")


def test_levels_can_be_declared():
    column = load(FRAME, columns="stars=ordinal:0..10").encoding.columns[2]
    assert column.values == tuple(map(str, range(11)))
    with pytest.raises(InputError, match=r"has '5', which is none of the levels 0\.\.4"):
        load(FRAME, columns="stars=ordinal:0..4")
    with pytest.raises(InputError, match=r"two whole numbers such as 0\.\.16, got 'many'"):
        load(FRAME, columns="stars=ordinal:many")


def test_a_multiple_of_the_last_decimal_is_a_step_where_there_is_evidence():
    frame = pd.DataFrame(
        {"few": ["1.5", "2.5", "1.1404", "3.25"] + ["1.5"] * 36, "many": ["1.5", "2", "2.5", "1"] * 10}
    )
    assert [c.resolution for c in load(frame).encoding.columns] == [0.0001, 0.5]
    assert [c.resolution for c in load(frame, reader=3).encoding.columns] == [0.0004, 0.5]
