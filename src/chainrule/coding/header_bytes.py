"""The header of an archive as bytes: JSON, deflated with what headers have in common, then the hashes as they are.

A hash of 128 or 256 bits, 32 or 64 digits in JSON, stands there as "#16" or "#32", and its bytes behind the deflated
JSON, in the order of the sorted keys. A text that begins with "#" gets one more.
"""

from __future__ import annotations

import json
import re
from io import BytesIO
from typing import Any
from zlib import compressobj, decompressobj, error

from chainrule.coding.groups import LARGEST_HEADER

__all__ = ["header_bytes", "read_header"]

HASH = re.compile("[0-9a-f]{32}|[0-9a-f]{64}")
MARKS = {"#16": 16, "#32": 32}
DICTIONARY = (  # it is part of the format
    b'"mkl_cbwr":"COMPATIBLE","processor":"aarch64","arm64","cpu":"DEFAULT","NEON",,"left_out":true,"unlike":[0,1,'
    b'"given":true,'
    b'{"arranged":"stream","canary":"#16","given":false,"layout":{"anchors":[],"end":null,"lanes":64,"longest":128'
    b',"portable":false,"real":false,"stride":128,"window":128},"machine":{"cpu":"AVX2","mkl_cbwr":"","mkldnn":tru'
    b'e,"numpy":"2.4.6","processor":"x86_64","threads":4,"torch":"2.13.0+cpu"},"model":{"order":0,"place":"runs/",'
    b'"sha256":"#16"},"per_group":4096,"profile":"native","sequences":64,"source":{"bytes":100000,"name":".txt","s'
    b'ha256":"#32"},"told":true,"version":"0.1.0","way":"model"}'
    b'{"arranged":"sequences","canary":"#16","given":false,"layout":{"anchors":[],"end":20,"lanes":64,"longest":10'
    b'0,"portable":false,"real":false,"stride":100,"window":100},"machine":{"cpu":"AVX2","mkl_cbwr":"","mkldnn":tr'
    b'ue,"numpy":"2.4.6","processor":"x86_64","threads":2,"torch":"2.13.0+cpu"},"model":{"order":0,"place":"runs/"'
    b',"sha256":"#16"},"per_group":4096,"profile":"native","sequences":64,"source":{"bytes":1000,"name":".fasta","'
    b'sha256":"#32"},"told":false,"version":"0.1.0","way":"model"}'
    b'{"profile":"any","source":{"bytes":1000,"name":"data.json","sha256":"#32"},"version":"0.1.0","way":"xz"}'
    b'"way":"bz2"}'
    b'{"arranged":"rows","canary":"#16","given":false,"layout":{"anchors":[[0,1],[1,2]],"end":null,"lanes":64,"lon'
    b'gest":16,"portable":true,"real":true,"stride":16,"window":16},"machine":{"cpu":"AVX512","mkl_cbwr":"","mkldn'
    b'n":true,"numpy":"2.4.6","processor":"x86_64","threads":1,"torch":"2.13.0+cpu"},"model":{"order":0,"place":"a'
    b' run that is gone","sha256":"#16"},"per_group":4096,"profile":"portable","sequences":64,"source":{"bytes":10'
    b'00,"name":".csv","sha256":"#32"},"told":false,"version":"0.1.0","way":"self-contained"}'
    b'{"arranged":"rows","profile":"portable","sequences":1000,"source":{"bytes":1000,"name":".csv","sha256":"#32"'
    b'},"version":"0.1.0","way":"counts"}'
    b'{"arranged":"rows","canary":"#16","given":false,"layout":{"anchors":[],"end":null,"lanes":256,"longest":64,"'
    b'portable":false,"real":false,"stride":64,"window":64},"machine":{"cpu":"AVX512","mkl_cbwr":"","mkldnn":true,'
    b'"numpy":"2.4.6","processor":"x86_64","threads":1,"torch":"2.13.0+cpu"},"model":{"order":0,"place":"runs/","s'
    b'ha256":"#16"},"per_group":4096,"profile":"native","sequences":256,"source":{"examples":1000,"name":"table.cs'
    b'v"},"told":false,"version":"0.1.0","way":"model"}'
)


def header_bytes(header: dict[str, Any]) -> tuple[bytes, bytes]:
    """A header as bytes, and its hashes one after the other, which stand at their end.

    header: what can be written as JSON.

    >>> written, hashes = header_bytes({"sha256": "00" * 32, "name": "#1"})
    >>> len(written), len(hashes), read_header(written)[0] == {"sha256": "00" * 32, "name": "#1"}
    (42, 32, True)
    """
    hashes: list[bytes] = []
    said = json.dumps(_marked(header, hashes), separators=(",", ":"), sort_keys=True, allow_nan=False).encode()
    deflate = compressobj(9, wbits=-15, zdict=DICTIONARY)
    behind = b"".join(hashes)
    return deflate.compress(said) + deflate.flush() + behind, behind


def read_header(written: bytes) -> tuple[dict[str, Any], bytes]:
    """The header of `header_bytes`, and its hashes; raises ValueError for other bytes.

    written: the bytes; no more than the largest header is unpacked.
    """
    inflate = decompressobj(wbits=-15, zdict=DICTIONARY)
    try:
        said = json.loads(inflate.decompress(written, LARGEST_HEADER))
        hashes = BytesIO(inflate.unused_data)
        header = _unmarked(said, hashes)
    except (RecursionError, error) as problem:
        raise ValueError(str(problem)) from None
    if not inflate.eof or hashes.read(1):
        raise ValueError("it has more hashes than it names, or does not end")
    if not isinstance(header, dict):
        raise ValueError("it is not an object")
    return header, inflate.unused_data


def _marked(value: Any, hashes: list[bytes]) -> Any:
    """A JSON value with marks in the places of its hashes, which are added to a list."""
    if isinstance(value, dict):
        return {key: _marked(value[key], hashes) for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [_marked(part, hashes) for part in value]
    if not isinstance(value, str):
        return value
    if HASH.fullmatch(value):
        hashes.append(bytes.fromhex(value))
        return f"#{len(value) // 2}"
    return f"#{value}" if value.startswith("#") else value


def _unmarked(value: Any, hashes: BytesIO) -> Any:
    """A JSON value with hashes in the places of its marks."""
    if isinstance(value, dict):
        return {key: _unmarked(value[key], hashes) for key in sorted(value)}
    if isinstance(value, list):
        return [_unmarked(part, hashes) for part in value]
    if not isinstance(value, str) or not value.startswith("#"):
        return value
    if value.startswith("##"):
        return value[1:]
    found = hashes.read(MARKS.get(value, 0))
    if len(found) != MARKS.get(value):
        raise ValueError(f"a hash is missing where it says {value[:8]!r}")
    return found.hex()
