"""Files that are written oddly, by their names, small: what `compress FILE` has to give back byte for byte."""

import bz2
import gzip
import io

import numpy as np

ROWS = [(n % 3, "abc"[n % 3], n % 5, "xy"[n % 2]) for n in range(9)]
TABLE = ("a,b,c,d\n" + "".join(",".join(map(str, row)) + "\n" for row in ROWS)).encode()
BITS = b"1,0,1,1\n0,0,1,0\n" * 4
SYMBOLS = np.arange(54).reshape(9, 6) % 3


def npy(x, version=None):
    """An array as a file of NumPy."""
    file = io.BytesIO()
    np.lib.format.write_array(file, x, version)
    return file.getvalue()


def idx(kind, x):
    """An array as an IDX file. kind: the byte of its type."""
    return bytes([0, 0, kind, x.ndim]) + np.array(x.shape, ">u4").tobytes() + x.tobytes()


def two(cells, rows=3):
    """A table of two columns: odd cells and a number, some times over."""
    return b"x,k\n" + b"".join(b"%s,%d\n" % (cell, n % 2) for n, cell in enumerate(cells * rows))


LINES = TABLE.splitlines()
TABLES = {
    "plain": TABLE,
    "quotes and delimiters in cells": TABLE.replace(b",a,", b',"a, ""b""",'),
    "all quoted": b"".join(b",".join(b'"%s"' % cell for cell in line.split(b",")) + b"\n" for line in LINES),
    "line ends in cells": TABLE.replace(b",b,", b',"b\nb",'),
    "a quote inside": TABLE.replace(b",a,", b',a"b,'),
    "CR LF": TABLE.replace(b"\n", b"\r\n"),
    "CR": TABLE.replace(b"\n", b"\r"),
    "mixed line ends": b"".join(line + (b"\r\n" if n % 2 else b"\n") for n, line in enumerate(LINES)),
    "blank lines": TABLE.replace(b"\n", b"\n\n", 4) + b"\n\n",
    "a NUL": TABLE.replace(b",a,", b",a\0,", 1),
    "a byte order mark": b"\xef\xbb\xbf" + TABLE,
    "UTF-16": TABLE.decode().encode("utf-16"),
    "UTF-16 without a mark": TABLE.decode().encode("utf-16-be"),
    "latin-1": TABLE.replace(b",a,", b",\xe9,"),
    "no UTF-8": TABLE.replace(b",a,", b",\xff\xfe,", 1),
    "two spellings of a letter": TABLE.replace(b",a,", ",e\u0301,".encode()).replace(b",b,", ",\u00e9,".encode()),
    "other line separators": TABLE.replace(b",a,", ",a\u2028\x85\x1c\x0b\x0c,".encode()),
    "a title twice": TABLE.replace(b"a,b,c,d", b"a,a,b,d"),
    "no header": TABLE.split(b"\n", 1)[1],
    "a header alone": b"a,b,c\n",
    "one column": b"a\n" + b"x\ny\n" * 5,
    "one row": b"a,b\n1,x\n",
    "spaces": b"   \n  \n",
    "nothing": b"",
    "huge integers": two([b"%d" % (10**30 + n) for n in range(9)]),
    "zeros with signs": two([b"-0", b"0", b"+0", b"-0.0", b"0.0"]),
    "one number, many spellings": two([b"1e5", b"100000", b"1E5", b"100000.0", b"1e+05"]),
    "leading zeros": two([b"007", b"7", b"07"]),
    "spaces in cells": two([b"a ", b"a", b" a", b"a\t"]),
    "numbers and none": two([b"NaN", b"nan", b"", b"NA", b"null", b"inf", b"-inf"]),
    "empty and quoted empty": two([b'""', b"", b'""']),
    "a long cell": two([b"a" * 30_000, b"b"]),
    "rows of other lengths": TABLE + b"1,2\n1,2,3,4,5,6\n",
    "hardly a table": b"".join(b",".join([b"1"] * (1 + n % 5)) + b"\n" for n in range(9)),
    "remarks": b"# one\n# two\n" + TABLE,
    "commas at the ends": TABLE.replace(b"\n", b",\n"),
    "a separator line": b"sep=;\n" + TABLE.replace(b",", b";"),
    "decimal commas": b"x;y\n" + b"1,5;a\n2,25;b\n" * 5,
    "thousands": b"x,y\n" + b'"1,000",a\n"2,500",b\n' * 5,
    "many columns": b"".join(b",".join(b"%d" % (n * k % 2) for n in range(150)) + b"\n" for k in range(3)),
    "random bytes": np.random.default_rng(0).bytes(300),
}
ARRAYS = {kind: npy(SYMBOLS.astype(kind)) for kind in ("<i8", ">i8", "|i1", "?", "<f2", "<f4", ">f8", "<u2", ">u4")}
ARRAYS |= {kind: npy(SYMBOLS.astype(kind)) for kind in ("<c16", "S1", "<U1", "<M8[D]", "<m8[s]", "O")}
ARRAYS |= {f"version {n}": npy(SYMBOLS, (n, 0)) for n in (2, 3)}
ARRAYS |= {f"zeros as {v}": npy(np.where(SYMBOLS == 0, v, SYMBOLS)) for v in (-0.0, np.nan, 0.5, -1, 10**15)}
ARRAYS |= {
    "columns first": npy(np.asfortranarray(SYMBOLS)),
    "no rows": npy(SYMBOLS[:0]),
    "no columns": npy(SYMBOLS[:, :0]),
    "a number": npy(np.array(3)),
    "one axis": npy(SYMBOLS[0]),
    "one example": npy(SYMBOLS[None]),
    "three axes": npy(SYMBOLS.reshape(9, 2, 3)),
    "fields": npy(np.zeros(5, dtype=[("a", "i4"), ("b", "f8")])),
    "longer": npy(SYMBOLS) + b"more",
    "cut off": npy(SYMBOLS)[:-3],
    "another head": npy(SYMBOLS).replace(b"'fortran_order': False", b"'fortran_order':False "),
    "a head of noise": b"\x93NUMPY" + np.random.default_rng(0).bytes(90),
}
SOURCES = {f"{name}.csv": content for name, content in TABLES.items()}
SOURCES |= {f"{name.replace('/', '')}.npy": content for name, content in ARRAYS.items()}
SOURCES |= {
    "tabs.tsv": TABLE.replace(b",", b"\t"),
    "bits.data": BITS,
    "bits.csv": BITS,
    "bits, CR LF.data": BITS.replace(b"\n", b"\r\n"),
    "bits with spaces.data": BITS.replace(b",", b" "),
    "no bits.data": BITS.replace(b"1", b"2", 2),
    "bytes-idx3-ubyte": idx(8, SYMBOLS.astype(np.uint8).reshape(9, 2, 3)),
    "labels-idx1-ubyte": idx(8, SYMBOLS[0].astype(np.uint8)),
    "reals-idx2": idx(13, SYMBOLS.astype(">f4")),
    "packed.csv.gz": gzip.compress(TABLE, mtime=0),
    "packed.csv.bz2": bz2.compress(TABLE),
    "records.jsonl": b'{"a":1,"b":"x"}\n{"b":"y","a":2}\n' * 5,
    "texts.jsonl": b'{"text": "a"}\n{"text": "b"}\n' * 5,
    "lists.json": b"[[1,2],[3]]",
    "object.json": b'{"a":1}',
    "proteins.fasta": b">a\r\nACDE\n>b\nAC\nD\n",
    "text.txt": b"hello\nworld\n" * 5,
    "nothing": b"",
    "zeros": bytes(500),
}
