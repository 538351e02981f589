"""Tables as people write them, from the file to the kinds, the values and the complaints."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine

from chainrule import InputError
from chainrule.data.sources.delimited.dialect import sniff
from chainrule.data.sources.delimited.rows import line_of
from chainrule.data.sources.delimited.text_columns import read_delimited
from chainrule.data.tables.cell_blocks import canonical_block
from chainrule.data.tables.cells import MISSING, values
from chainrule.data.tables.survey import Survey


def opened(path, missing=MISSING, **asked):
    """The names, the kinds, the canonical rows, the values, and what is said."""
    dialect = sniff(path, **asked)
    surveys = [Survey(name, missing, dialect.decimal, dialect.thousands) for name in dialect.names]
    for block in read_delimited(path, dialect):
        for survey, column in zip(surveys, block.columns, strict=True):
            survey.update(column)
    found = [survey.decide(lambda row: f"{path.name} line {line_of(path, dialect, row)}") for survey in surveys]
    spellings = [spelling for spelling, _ in found]
    blocks = list(read_delimited(path, dialect))
    return (
        dialect.names,
        [spelling.kind for spelling in spellings],
        [tuple(row.values()) for block in blocks for row in canonical_block(block, spellings).to_pylist()],
        np.concatenate(
            [np.stack([values(c, s) for c, s in zip(block.columns, spellings, strict=True)], 1) for block in blocks]
        ),
        [note for _, notes in found for note in notes],
    )


ADULT = (
    "39, State-gov, 77516, Bachelors, 13, Male, 2174, 0, <=50K\n"
    "50, ?, 83311, Bachelors, 13, Male, 0, 0, <=50K\n"
    "38, Private, 215646, HS-grad, 9, Female, 0, 1902, >50K\n\n"
)
IRIS = "5.1,3.5,1.4,0.2,Iris-setosa\n4.9,3.0,1.4,0.2,Iris-setosa\n6.3,3.3,6.0,2.5,Iris-virginica\n\n"
WINE = '"fixed acidity";"volatile acidity";"pH";"quality"\n7.4;0.7;3.51;5\n7.8;0.88;3.2;5\n'
TITANIC = (
    "PassengerId,Survived,Name,Sex,Age,Ticket,Fare,Cabin\n"
    '1,0,"Braund, Mr. Owen Harris",male,22,A/5 21171,7.25,\n'
    '2,1,"Cumings, Mrs. John Bradley (Florence Briggs Thayer)",female,38,PC 17599,71.2833,C85\n'
    '6,0,"Moran, Mr. James",male,,330877,8.4583,\n'
)
PENGUINS = (
    "species,island,bill_length_mm,sex,year\nAdelie,Torgersen,39.1,male,2007\nAdelie,Torgersen,NA,NA,2007\n"
    "Gentoo,Biscoe,46.1,female,2008\n"
)
SALES = (
    "sep=;\r\nDatum;Ort;Umsatz;Anteil\r\n31.12.2023;Köln;1.234,50 €;12,5 %\r\n01.01.2024;Bonn;99,00 €;3 %\r\n"
    "15.01.2024;;1.000,00 €;−1,5 %\r\n"
)
LOG = "time,ok,ms\n2024-03-01T10:00:00Z,True,1.0\n2024-03-01T12:00:00+02:00,false,2.50\n2024-03-02T00:00:00Z,TRUE,3e0\n"
N, T, D, B = "number", "text", "date", "boolean"
TABLES = {  # text, kinds, missing cells, last canonical row
    "adult.data": (
        ADULT,
        [N, T, N, T, N, T, N, N, T],
        1,
        ("38", "Private", "215646", "HS-grad", "9", "Female", "0", "1902", ">50K"),
    ),
    "iris.data": (IRIS, [N, N, N, N, T], 0, ("6.3", "3.3", "6", "2.5", "Iris-virginica")),
    "winequality-red.csv": (WINE, [N, N, N, N], 0, ("7.8", "0.88", "3.2", "5")),
    "titanic.csv": (
        TITANIC,
        [N, N, T, T, N, T, N, T],
        3,
        ("6", "0", "Moran, Mr. James", "male", None, "330877", "8.4583", None),
    ),
    "penguins.csv": (PENGUINS, [T, T, N, T, N], 2, ("Gentoo", "Biscoe", "46.1", "female", "2008")),
    "Umsätze.csv": (SALES, [D, T, N, N], 1, ("2024-01-15", None, "1000", "-1.5")),
    "log.csv": (LOG, [D, B, N], 0, ("2024-03-02", "true", "3")),
}


@pytest.mark.parametrize("name", TABLES)
def test_kinds_missing_and_values(tmp_path, name):
    text, kinds, missing, last = TABLES[name]
    path = tmp_path / name
    path.write_text(text, encoding="utf-8", newline="")
    names, found, rows, x, _ = opened(path)
    assert (found, rows[-1]) == (kinds, last)
    assert sum(cell is None for row in rows for cell in row) == missing
    for k, kind in enumerate(kinds):
        present = np.array([row[k] is not None for row in rows])
        assert np.isfinite(x[:, k]).tolist() == (present & (kind != T)).tolist()
    assert len(set(names)) == len(kinds)


def test_equal_times_in_different_zones(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text(LOG)
    _, _, rows, x, _ = opened(path)
    assert rows[0][0] == rows[1][0] == "2024-03-01T10:00:00"
    assert x[0, 0] == x[1, 0]


def test_a_typo_names_the_line_of_the_file(tmp_path):
    path = tmp_path / "a.csv"
    body = "".join(f'{k},"a\nb"\n' for k in range(30))
    path.write_text("Title\nw,note\n" + body + "n/a,x\n-,y\n")
    with pytest.raises(InputError) as error:
        opened(path)
    assert "'n/a' (a.csv line 63), '-' (a.csv line 64)" in str(error.value)
    assert "--missing 'n/a,-'" in str(error.value)
    _, kinds, rows, _, _ = opened(path, missing=("", "n/a", "-"))
    assert (kinds, rows[-1]) == ([N, T], (None, "y"))


def test_an_impossible_date_names_the_line_of_the_file(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("d,x\n2024-02-29,1\n\n2023-02-29,2\n2024-03-01,3\n")
    with pytest.raises(InputError, match=r"'2023-02-29' \(a\.csv line 4\)"):
        opened(path)


def test_one_table_written_in_many_ways(tmp_path):
    ways = {
        "a.csv": "d,x,b\n2024-02-01,1.5,true\n2024-02-13,1000,false\n",
        "b.csv": "d;x;b\n01.02.2024;1,5;True\n13.02.2024;1.000,0;False\n",
        "c.tsv": "d\tx\tb\n2/1/2024\t1.50\tTRUE\n2/13/2024\t1e3\tFALSE\n",
        "d.csv": '\ufeff"d", "x", "b"\r\n"1-Feb-2024", "+1.5", "true"\r\n"13-Feb-2024", "1,000", "false"\r\n',
        "e.data": "2024-02-01T00:00:00Z   1.5  true\n2024-02-13T00:00:00Z  1000   false\n",
        "f.csv": "exported today\nd|x|b\n2024/02/01|1.5|1\n2024/02/13|1000|false\n",
    }
    found = []
    for name, text in ways.items():
        path = tmp_path / name
        path.write_text(text, encoding="utf-8", newline="")
        _, kinds, rows, x, _ = opened(path)
        found.append((kinds, rows, x.tolist()))
    assert all(one == found[0] for one in found)
    assert found[0][:2] == ([D, N, B], [("2024-02-01", "1.5", "true"), ("2024-02-13", "1000", "false")])


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer, load_diabetes])
@pytest.mark.parametrize("header", [True, False])
def test_sets_of_scikit_learn(tmp_path, load, header):
    data = load()
    x = np.column_stack([data.data, data.target])
    path = tmp_path / "a.csv"
    names = ",".join([*data.feature_names, "target"])
    np.savetxt(path, x, fmt="%s", delimiter=",", header=names if header else "", comments="")
    found, kinds, _, values, _ = opened(path)
    assert kinds == [N] * x.shape[1]
    assert np.array_equal(values, x)
    assert (found[-1] == "target") == header
