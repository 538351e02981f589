"""Odd files: each is read as a person would read it, or refused with its place and a way out."""

import re

import pytest

from chainrule import InputError
from chainrule.data import load

pytestmark = pytest.mark.filterwarnings("ignore:the column:UserWarning")

C, L, N, R, D, K, U = "categorical", "ordinal", "count", "real", "date", "constant", "identifier"


def table(header, line, rows=60):
    return header + "\n" + "".join(line(k) + "\n" for k in range(rows))


def cycle(*texts):
    return lambda k: texts[k % len(texts)]


READ = {  # text, kinds, columns that may be missing
    "quoted line ends": (table("id,note,x", lambda k: f'{k},"a\nb {k % 3}",{k / 4}'), [N, C, R], []),
    "quoted line ends, no header": (table("", lambda k: f'{k}.5,"a\nb {k % 3}",{k / 4}').lstrip(), [R, C, R], []),
    "a delimiter at the end": (table("a,b,c", lambda k: f"{k % 5},x{k % 2},{k * 0.5},"), [L, C, R], []),
    "comments inside": (
        table("a,b", lambda k: "# a remark, with commas, here" if k == 40 else f"{k % 7},x{k % 2}"),
        [L, C],
        [],
    ),
    "UTF-16": (table("a,b", lambda k: f"{k % 7},ö{k % 3}").encode("utf-16"), [L, C], []),
    "a byte-order mark": (table("\ufeffa,b", lambda k: f"{k % 7},ö{k % 3}"), [L, C], []),
    "one column": (table("x", lambda k: f"{k / 8}"), [R], []),
    "thousands": (table("a,b", lambda k: f'"{(k + 1) * 1234:,}",x{k % 2}'), [N, C], []),
    "exponents": (table("a,b", lambda k: f"{k}e5,x{k % 2}"), [N, C], []),
    "hexadecimal": (table("a,b", lambda k: f"{hex(k % 9)},{k}"), [C, N], []),
    "leading zeros": (table("a,b", lambda k: f"{k % 20:03d},{k % 3}"), [C, L], []),
    "signs before zeros": (table("a,b", lambda k: f"-{k % 20:03d},{k % 3}"), [C, L], []),
    "truth": (
        table(
            "a,b,c,d,e,f,g,h,i,j",
            lambda k: ["true,True,TRUE,yes,Y,t,on,1,1.0,T", "false,False,FALSE,no,N,f,off,0,0.0,F"][k % 2],
        ),
        [C] * 10,
        [],
    ),
    "upper and lower case": (table("a,b", lambda k: f"{cycle('Red', 'red', 'RED')(k)},{k}"), [C, N], []),
    "spaces around": (table("a , b", lambda k: f" {k} ,  x{k % 2}  "), [N, C], []),
    "decimal commas": (table("a;b", lambda k: f"{k},{k % 10};x{k % 2}"), [R, C], []),
    "missing values": (
        table("a,b,c", lambda k: f"{'NA' if k % 5 == 0 else k},{'' if k % 3 else 'u'},{'?' if k % 4 == 0 else k / 2}"),
        [N, K, R],
        ["a", "b", "c"],
    ),
    "numbers beyond doubles": (table("a,b", lambda k: f"{2**60 + k},{k % 3}"), [U, L], []),
    "dates": (
        table("d,e,f", lambda k: f"2024-01-{1 + k % 28:02d},2024-01-01T10:{k % 60:02d}:00Z,{1 + k % 28}.1.2024"),
        [D, D, D],
        [],
    ),
    "percent and currency": (table("a,b", lambda k: f"{k}%,{k} €"), [N, N], []),
    "negative zeros": (table("a,b", lambda k: f"{'-0' if k % 2 else '0'},{'-0.0' if k % 3 else '1.5'}"), [K, R], []),
    "true minus signs": (table("a,b", lambda k: f"−{k},x{k % 2}"), [R, C], []),
    "numbers and names": (table("a,b", lambda k: f"{cycle(k, f'x{k % 3}')(k)},{k % 2}"), [C, C], []),
    "identifiers": (table("a,b", lambda k: f"u{k},{'xy'[k % 2]}"), [U, C], []),
    "old line ends": (table("a,b", lambda k: f"{k % 7},x{k % 2}").replace("\n", "\r"), [L, C], []),
    "blank lines everywhere": ("\n\n" + table("a,b", lambda k: f"{k % 7},x{k % 2}\n") + "\n\n", [L, C], []),
    "inches": (table("a,b", lambda k: f'{k % 7},{k % 3}" pipe'), [L, C], []),
    "times of the day": (table("a,b", lambda k: f"12:{k % 5:02d},{k % 7}"), [C, L], []),
    "row numbers of pandas": (table(",0,1", lambda k: f"{k},{k / 8},{k % 3}"), [N, R, L], []),
    "row numbers of pandas, shuffled": (table(",0.5,7", lambda k: f"{k * 7 % 60},{k / 8},{k % 3}"), [N, R, L], []),
    "row numbers of pandas below dates": (
        table(",2020-01-01,2020-01-02", lambda k: f"{k},{k / 8},{k % 3}"),
        [N, R, L],
        [],
    ),
    "versions": (table("a,b", lambda k: f"1.{k % 5}.2,{k % 7}"), [C, L], []),
}


@pytest.mark.parametrize("name", READ)
def test_it_is_read_as_a_person_would(tmp_path, name):
    text, kinds, missing = READ[name]
    path = tmp_path / "odd.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    data = load(str(path))
    columns = data.encoding.columns
    assert [column.kind for column in columns] == kinds
    assert [column.name for column in columns if column.missing is not None] == missing
    assert sum(map(len, data.splits.values())) == (59 if name == "comments inside" else 60)


REFUSED = {  # text, message
    "ragged": (table("a,b,c", lambda k: "1,2" if k == 30 else "1,2,3"), r"odd\.csv line 32: has 2 values, expected 3"),
    "NUL": (table("a,b", lambda k: "2,\0y" if k == 30 else "1,x"), r"odd\.csv line 32: holds a NUL"),
    "Latin-1": (table("a,b", lambda k: "1,ö").encode("latin-1"), r"odd\.csv line 2: the bytes f6 .* iconv"),
    "a column without values": (table("a,b", lambda k: f"{k % 7},"), r"'b' has no values at all; .*--drop"),
    "one row": ("a,b\n1,x\n", r"the valid split is empty"),
    "dates in two orders": (
        table("d,x", lambda k: "02/13/2024,1" if k == 30 else "13/02/2024,1"),
        r"'02/13/2024' \(.*odd\.csv line 32\)",
    ),
    "a typo": (
        table("a,b", lambda k: f"{'1O' if k == 30 else k},{k % 3}"),
        r"'1O' \(.*odd\.csv line 32\).*--missing '1O'",
    ),
    "a very long cell": (
        table("a,b", lambda k: f"{'x' * 9999 if k == 30 else k},{k % 3}"),
        r"'x{40}\.\.\.' \(.*odd\.csv line 32\); correct them, or --columns a=categorical",
    ),
    "infinity": (table("a,b", lambda k: f"{'inf' if k == 30 else k},{k % 3}"), r"'inf' \(.*odd\.csv line 32\)"),
    "one code among numbers": (
        table("a,b", lambda k: f"{'007' if k == 30 else k},{k % 3}"),
        r"'007' \(.*odd\.csv line 32\).*--columns a=categorical",
    ),
    "two columns of one name": (table("a,b,a", lambda k: "1,2,3"), r"line 1: the columns 1 and 3 have the same name"),
    "nothing": ("", "the table is empty"),
    "a header alone": ("a,b\n", "a header and no rows"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_with_its_place(tmp_path, name):
    text, message = REFUSED[name]
    path = tmp_path / "odd.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message):
        load(str(path))


NUMBERS_AMONG_NAMES = {
    "a dash in a sixth": ([*"12345", "-"], r"holds numbers in 50 of 60 cells .*'-' \(.*line 7\).*--missing"),
    "several units": (["1%", "2"], r"holds numbers in several units \(none, '%'\)"),
    "codes with leading zeros": (["01234", "71827", "51251"], None),
    "words": (["a", "b", "1"], None),
}


@pytest.mark.parametrize("name", NUMBERS_AMONG_NAMES)
def test_numbers_that_are_read_as_names_are_said(tmp_path, name):
    cells, message = NUMBERS_AMONG_NAMES[name]
    path = tmp_path / "x.csv"
    path.write_text("a,b\n" + "".join(f"{cells[n % len(cells)]},{n}\n" for n in range(60)))
    note = load(str(path)).note
    assert re.search(message or "a .categorical", note)
    assert message or "is read as names" not in note
