"""How delimited files are written: delimiters, headers, titles, quotes and the notation of numbers."""

import bz2
import gzip
import lzma

import pyarrow as pa
import pytest

from chainrule import InputError
from chainrule.data.sources.delimited.delimiter import ONE_COLUMN, SPACE
from chainrule.data.sources.delimited.dialect import sniff
from chainrule.data.sources.delimited.text_columns import read_delimited


@pytest.fixture
def opened(tmp_path):
    """Write a text, find its dialect and read it: the dialect and the rows."""

    def read(text, name="a.csv", **asked):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        dialect = sniff(path, **asked)
        rows = [tuple(row.values()) for block in read_delimited(path, dialect) for row in block.to_pylist()]
        return dialect, rows

    return read


NUMBERS = [("1", "2"), ("3", "4")]
PEOPLE = "age,job\n39,clerk\n50,farmer\n38,clerk\n"
FILES = {  # text, names, rows
    "plain": ("a,b\n1,2\n3,4\n", ("a", "b"), NUMBERS),
    "no line end": ("a,b\n1,2\n3,4", ("a", "b"), NUMBERS),
    "blank line at the end": ("a,b\n1,2\n3,4\n\n", ("a", "b"), NUMBERS),
    "blank lines inside": ("a,b\n\n1,2\n\n3,4\n", ("a", "b"), NUMBERS),
    "blank lines above": ("\n\na,b\n1,2\n3,4\n", ("a", "b"), NUMBERS),
    "semicolons": ("a;b\n1;2\n3;4\n", ("a", "b"), NUMBERS),
    "tabs": ("a\tb\n1\t2\n3\t4\n", ("a", "b"), NUMBERS),
    "bars": ("a|b\n1|2\n3|4\n", ("a", "b"), NUMBERS),
    "Windows": ("a,b\r\n1,2\r\n3,4\r\n", ("a", "b"), NUMBERS),
    "old Macintosh": ("a,b\r1,2\r3,4\r", ("a", "b"), NUMBERS),
    "mixed line ends": ("a,b\r\n1,2\n3,4\r\n", ("a", "b"), NUMBERS),
    "byte-order mark": ("\ufeffa,b\n1,2\n3,4\n", ("a", "b"), NUMBERS),
    "byte-order mark, no header": ("\ufeff1,2\n3,4\n", ("c0", "c1"), NUMBERS),
    "UTF-16": ("\ufeffa,b\n1,2\n3,4\n".encode("utf-16-le"), ("a", "b"), NUMBERS),
    "UTF-16, big end first": ("\ufeffa,b\n1,2\n3,4\n".encode("utf-16-be"), ("a", "b"), NUMBERS),
    "Excel's separator": ("sep=;\na;b\n1;2\n3;4\n", ("a", "b"), NUMBERS),
    "Excel's separator, odd": ("sep=^\r\na^b\r\n1^2\r\n3^4\r\n", ("a", "b"), NUMBERS),
    "title": ("Sales of 2023\na,b\n1,2\n3,4\n", ("a", "b"), NUMBERS),
    "title and blank line": ("Sales of 2023\n\na,b\n1,2\n3,4\n", ("a", "b"), NUMBERS),
    "title with a comma": (
        "Sales, by year\na,b,c\n1,2,x\n3,4,y\n",
        ("a", "b", "c"),
        [("1", "2", "x"), ("3", "4", "y")],
    ),
    "title of a sheet": ("Sales,,\na,b,c\n1,2,x\n3,4,y\n", ("a", "b", "c"), [("1", "2", "x"), ("3", "4", "y")]),
    "comment above": ("# made by hand, in a hurry, twice\na,b\n1,2\n3,4\n", ("a", "b"), NUMBERS),
    "comments inside": ("# a\na,b\n1,2\n# two\n3,4\n", ("a", "b"), NUMBERS),
    "NumPy's header": ("# a,b\n1,2\n3,4\n", ("a", "b"), NUMBERS),
    "no header": ("1,2\n3,4\n", ("c0", "c1"), NUMBERS),
    "no header, texts": (
        "p,x,s\ne,x,s\np,b,y\ne,b,y\n",
        ("c0", "c1", "c2"),
        [("p", "x", "s"), ("e", "x", "s"), ("p", "b", "y"), ("e", "b", "y")],
    ),
    "header over texts": ("sex,city\nF,Rome\nM,Oslo\n", ("sex", "city"), [("F", "Rome"), ("M", "Oslo")]),
    "years": (
        "country,1990,1991,1992\nA,5,7,2\nB,3,4,9\n",
        ("country", "1990", "1991", "1992"),
        [("A", "5", "7", "2"), ("B", "3", "4", "9")],
    ),
    "two years": ("1990,1991\n5,7\n3,4\n", ("1990", "1991"), [("5", "7"), ("3", "4")]),
    "numbers of columns": ("0,1,2\n5.5,7,2\n3,4,9\n", ("0", "1", "2"), [("5.5", "7", "2"), ("3", "4", "9")]),
    "years that are data": (
        "1990,1991\n1992,1993\n1993,1995\n",
        ("c0", "c1"),
        [("1990", "1991"), ("1992", "1993"), ("1993", "1995")],
    ),
    "spaces after commas": (
        "age, job\n39, clerk\n50, farm hand\n",
        ("age", "job"),
        [("39", "clerk"), ("50", "farm hand")],
    ),
    "spaces before quotes": ('a, b\n1, "x, y"\n2, "z"\n', ("a", "b"), [("1", "x, y"), ("2", "z")]),
    "quoted header": ('"a";"b"\n1;2\n3;4\n', ("a", "b"), NUMBERS),
    "quoted line ends": ('a,b\n1,"x\ny"\n2,z\n', ("a", "b"), [("1", "x\ny"), ("2", "z")]),
    "header over two lines": ('"a\nz",b\n1,2\n3,4\n', ("a z", "b"), NUMBERS),
    "quotes within quotes": ('a,b\n1,"say ""hi"""\n2,z\n', ("a", "b"), [("1", 'say "hi"'), ("2", "z")]),
    "inches": ('a,b\n1,5" pipe\n2,6" pipe\n', ("a", "b"), [("1", '5" pipe'), ("2", '6" pipe')]),
    "stray quotes": (
        'a,b\n1,"oops\n3,4\n5,x"\n6,7\n',
        ("a", "b"),
        [("1", '"oops'), ("3", "4"), ("5", 'x"'), ("6", "7")],
    ),
    "stray quotes among right ones": (
        'a,b\n1,"oops\n3,"x,y"\n5,x"\n',
        ("a", "b"),
        [("1", '"oops'), ("3", "x,y"), ("5", 'x"')],
    ),
    "single quotes": ("'a','b'\n'x, y','2'\n'z','4'\n", ("a", "b"), [("x, y", "2"), ("z", "4")]),
    "spaces around commas": ("a , b\nx , 2\ny , 4\n", ("a", "b"), [("x", "2"), ("y", "4")]),
    "VCF": ("##a\n##b=<1,2>\n#A\tB\nx\t2\ny\t4\n", ("A", "B"), [("x", "2"), ("y", "4")]),
    "delimiter at the end": ("a,b,\n1,2,\n3,4,\n", ("a", "b"), NUMBERS),
    "delimiter at the end of rows": ("a,b\n1,2,\n3,4,\n", ("a", "b"), NUMBERS),
    "names of rows": ("a,b\nx,1,2\ny,3,4\n", ("row", "a", "b"), [("x", "1", "2"), ("y", "3", "4")]),
    "nothing and empty": ('a,b\n1,\n,""\n', ("a", "b"), [("1", None), (None, "")]),
    "decimal commas": ("a;b\n1,5;2\n2,25;3\n", ("a", "b"), [("1,5", "2"), ("2,25", "3")]),
    "decimal commas without header": ("1,5;2,5\n2,25;3,5\n", ("c0", "c1"), [("1,5", "2,5"), ("2,25", "3,5")]),
    "dates and times": (
        "t,x\n2020-01-01 10:00:00,5\n2020-01-02 10:00:00,6\n",
        ("t", "x"),
        [("2020-01-01 10:00:00", "5"), ("2020-01-02 10:00:00", "6")],
    ),
    "one column": ("a\n1\n2\n", ("a",), [("1",), ("2",)]),
    "one column without header": ("1\n2\n", ("c0",), [("1",), ("2",)]),
    "one column of decimal commas": ("a\n1,5\n2,5\n", ("a",), [("1,5",), ("2,5",)]),
    "one column of phrases": ("city\nNew York\nLos Angeles\n", ("city",), [("New York",), ("Los Angeles",)]),
    "one column, a cell missing": ("a\n1\n\n2\n\n", ("a",), [("1",), (None,), ("2",)]),
    "one column, the last missing": ('a\n1\n""\n', ("a",), [("1",), ("",)]),
    "one column of times": (
        "t\n2020-01-01 10:00\n2020-01-02 11:00\n",
        ("t",),
        [("2020-01-01 10:00",), ("2020-01-02 11:00",)],
    ),
    "runs of spaces": ("  1.5   2  x\n 10.0  13  y\n", ("c0", "c1", "c2"), [("1.5", "2", "x"), ("10.0", "13", "y")]),
    "linnerud": (
        "Weight Waist Pulse\n191 36 50\n189 37 52\n",
        ("Weight", "Waist", "Pulse"),
        [("191", "36", "50"), ("189", "37", "52")],
    ),
    "auto-mpg": (
        '18.0   8   307.0\t"chevrolet chevelle"\n15.0   8   350.0\t"buick skylark 320"\n',
        ("c0", "c1", "c2", "c3"),
        [("18.0", "8", "307.0", "chevrolet chevelle"), ("15.0", "8", "350.0", "buick skylark 320")],
    ),
    "odd names": (
        "pulse [/min],a=b,größe\n1,2,3\n4,5,6\n",
        ("pulse [/min]", "a=b", "größe"),
        [("1", "2", "3"), ("4", "5", "6")],
    ),
    "names that differ in case": ("a,A\n1,2\n3,4\n", ("a", "A"), NUMBERS),
    "a nameless column": (",b\n1,2\n3,4\n", ("c0", "b"), NUMBERS),
    "a line separator within a value": ("a,b\n1,x\u2028y\n2,z\n", ("a", "b"), [("1", "x\u2028y"), ("2", "z")]),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_is_read_as_a_person_would(opened, case):
    text, names, rows = FILES[case]
    dialect, came = opened(text)
    assert (dialect.names, came) == (names, rows)
    assert dialect.first == tuple("" if cell is None else cell for cell in rows[0])


ADULT = (
    "39, State-gov, 77516, Bachelors, 13, Never-married, Adm-clerical, 2174, 0, United-States, <=50K\n"
    "50, ?, 83311, Bachelors, 13, Married-civ-spouse, Exec-managerial, 0, 0, United-States, <=50K\n"
    "38, Private, 215646, HS-grad, 9, Divorced, Handlers-cleaners, 0, 0, ?, >50K\n\n"
)
IRIS = "5.1,3.5,1.4,0.2,Iris-setosa\n4.9,3.0,1.4,0.2,Iris-setosa\n6.3,3.3,6.0,2.5,Iris-virginica\n\n"
WINE = '"fixed acidity";"volatile acidity";"pH";"quality"\n7.4;0.7;3.51;5\n7.8;0.88;3.2;5\n'
TITANIC = (
    "PassengerId,Survived,Name,Sex,Age,Ticket,Cabin\n"
    '1,0,"Braund, Mr. Owen Harris",male,22,A/5 21171,\n'
    '2,1,"Cumings, Mrs. John Bradley (Florence Briggs Thayer)",female,38,PC 17599,C85\n'
    '6,0,"Moran, Mr. James ""Jim""",male,,330877,\n'
)
SETS = {  # text, delimiter, header, columns, rows, lines above, one cell
    "adult.data": (ADULT, ",", False, 11, 3, 0, (1, 1, "?")),
    "iris.data": (IRIS, ",", False, 5, 3, 0, (2, 4, "Iris-virginica")),
    "winequality-red.csv": (WINE, ";", True, 4, 2, 1, (0, 2, "3.51")),
    "titanic.csv": (TITANIC, ",", True, 7, 3, 1, (2, 2, 'Moran, Mr. James "Jim"')),
}


@pytest.mark.parametrize("name", SETS)
def test_well_known_sets(opened, name):
    text, delimiter, header, columns, rows, above, (row, column, cell) = SETS[name]
    dialect, came = opened(text, name)
    assert (dialect.delimiter, dialect.has_header, len(dialect.names)) == (delimiter, header, columns)
    assert (len(came), dialect.skipped, came[row][column]) == (rows, above, cell)


def test_an_empty_cabin_is_nothing(opened):
    assert opened(TITANIC)[1][0][6] is None


NOTATIONS = [  # text, decimal, thousands, whether something is said
    ("a;b\n1,5;x\n", ",", "", False),
    ("a;b\n1.234,5;x\n2;y\n", ",", ".", False),
    ('a,b\n"1,234.5",x\n2,y\n', ".", ",", False),
    ("a;b\n1 234,5;x\n", ",", " ", False),
    ("a;b\n1\u202f234,5;x\n", ",", " ", False),
    ("a;b\n1'234.50;x\n", ".", "'", False),
    ("a;b\n1.234.567;x\n", ",", ".", False),
    ("a;b\n1,234;x\n", ",", "", True),
    ('a,b\n"1,234",x\n', ".", ",", True),
    ("a,b\n1.234,x\n", ".", "", False),
    ("a;b\n31.12.2020;x\n", ".", "", False),
    ("a;b\n192.168.1.10;x\n", ".", "", False),
]


@pytest.mark.parametrize(("text", "decimal", "thousands", "said"), NOTATIONS)
def test_notation_of_numbers(opened, text, decimal, thousands, said):
    dialect, _ = opened(text)
    assert (dialect.decimal, dialect.thousands) == (decimal, thousands)
    assert any("--decimal" in note for note in dialect.notes) == said


def test_the_notation_is_that_of_the_whole_file(opened):
    dialect, _ = opened("a;b\n" + "1;2\n" * 200_000 + "1,5;2\n")
    assert dialect.decimal == ","


def test_what_was_decided_is_said(opened):
    assert "numbers taken for names; --header no" in opened("x,1990,1991,1992\nA,5,7,2\nB,3,4,9\n")[0].notes[0]
    assert "'Sales of 2023'" in opened("Sales of 2023\na,b\n1,2\n")[0].notes[0]
    assert "--header yes" in opened("p,x\ne,x\np,b\n")[0].notes[0]
    assert "'row'" in opened("a,b\nx,1,2\ny,3,4\n")[0].notes[0]


def test_options_decide(opened):
    assert opened("a,b\nc,d\n", header="no")[1] == [("a", "b"), ("c", "d")]
    assert opened("1,2\n3,4\n", header="yes")[0].names == ("1", "2")
    assert opened("x,1990,1991,1992\nA,5,7,2\n", header="no")[1][0] == ("x", "1990", "1991", "1992")
    dialect, rows = opened("u,v\nw,x\na,b\n1,2\n", header=3)
    assert (dialect.names, rows) == (("a", "b"), [("1", "2")])
    assert opened("u,v\nw,x\na,b\n1,2\n", header="3")[0].names == ("a", "b")
    assert opened("a,b;c\n1,2;3\n", delimiter=";")[1] == [("1,2", "3")]
    assert opened("a,b\tc\n1,2\t3\n", delimiter="tab")[0].names == ("a,b", "c")
    assert opened("a b\n1 2\n", delimiter="space")[0].delimiter == SPACE
    assert opened("a,b\n1,2\n", delimiter="none")[0].delimiter == ONE_COLUMN
    assert opened("a;b\n1,234;2\n", decimal=".")[0].decimal == "."
    for wrong in ({"header": "maybe"}, {"header": 0}, {"header": 99}, {"decimal": ";"}, {"delimiter": "ab\n"}):
        with pytest.raises(InputError, match=r"header|decimal|delimiter"):
            opened("a,b\n1,2\n", **wrong)


ERRORS = [
    ("", "the table is empty"),
    ("\n \n", "the table is empty"),
    ("a,b\n", "no rows"),
    ("a,b,a\n1,2,3\n4,5,6\n", r"line 1: the columns 1 and 3 have the same name 'a'"),
    (b"a,b\n1,2\n3,\xe9\n", r"line 3: the bytes e9 .* are not UTF-8|line 3: the bytes e9"),
    (b"a,b\n1,2\n3,\x004\n", r"line 3: holds a NUL"),
    ("a,b\n1,2\n".encode("utf-16-le"), r"line 1: holds a NUL"),
]


@pytest.mark.parametrize(("text", "message"), ERRORS)
def test_what_cannot_be_read(opened, text, message):
    with pytest.raises(InputError, match=message):
        opened(text)


@pytest.mark.parametrize(
    "pack", [gzip.compress, bz2.compress, lzma.compress, lambda b: pa.compress(b, "zstd", asbytes=True)]
)
@pytest.mark.parametrize("name", ["a.csv", "A.CSV.GZ"])
def test_compressed_files_are_known_by_content(opened, pack, name):
    dialect, rows = opened(pack(b"a,b\n1,2\n3,4\n"), name)
    assert (dialect.names, rows) == (("a", "b"), NUMBERS)


def test_a_cut_off_file(opened):
    with pytest.raises(InputError, match="cut off or damaged"):
        opened(gzip.compress(b"a,b\n" + b"1,2\n" * 10_000)[:60])
