"""The form of a file: what has to be known, beside the decoded examples, to write it again.

A form is a guess that comes close. Whatever it misses is a difference that an archive holds, so that no form has to
cover every file; `rewritten` never fails where `form_of` did not.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np

from chainrule.data.encodings.base import Encoding
from chainrule.data.rewriting.table_form import table_form, table_rewritten
from chainrule.errors import InputError

__all__ = ["form_of", "rewritten"]

Form = dict[str, Any]
NPY, PNG, IDX = b"\x93NUMPY", b"\x89PNG", b"\0\0\x08"
STYLES: tuple[dict[str, Any], ...] = (  # how people write JSON
    {},
    {"separators": (",", ":")},
    {"separators": (",", ":"), "ensure_ascii": False},
    {"ensure_ascii": False},
    {"indent": 2},
    {"indent": 4},
    {"indent": 1},
)


def form_of(encoding: Encoding, content: bytes, raw: Any, parts: Sequence[tuple[str, int]] = ()) -> Form:
    """The form of a file.

    encoding: how it becomes elements.
    content: the file.
    raw: what the encoding decodes from its elements.
    parts: the splits that it holds, and the number of examples of each.
    """
    try:
        form = _found(encoding, content, raw, dict(parts))
        rewritten(encoding, form, raw)
    except (ValueError, TypeError, IndexError, KeyError, OSError, OverflowError):
        return {"form": "none"}
    return form


def _found(encoding: Encoding, content: bytes, raw: Any, parts: dict[str, int]) -> Form:
    if content.startswith(NPY):
        return _npy_form(content)
    if content.startswith(PNG):
        return _png_form(content, raw)
    if content.startswith(IDX) and encoding.is_image:
        return {"form": "idx", "axes": content[3]}
    if encoding.kind == "table":
        return table_form(content, list(encoding.column_names), raw)
    if encoding.kind == "array":
        return {"form": "digits", "end": "\r\n" if b"\r\n" in content[:4096] else "\n"}
    if encoding.kind == "fasta":
        return _fasta_form(content)
    if encoding.kind in ("sequences", "sets"):
        return _json_form(content, raw, parts)
    return {"form": "written"}


def rewritten(encoding: Encoding, form: Form, raw: Any) -> bytes:
    """The file of a form, or something close to it.

    encoding, raw: as in `form_of`.
    form: its result.
    """
    kind = form["form"]
    if kind == "none":
        return b""
    if kind == "npy":
        return form["head"].encode("latin-1") + np.asarray(raw).astype(np.dtype(form["type"])).tobytes(form["order"])
    if kind == "png":
        return _png(raw, form["level"], form["optimize"])
    if kind == "idx":
        x = np.asarray(raw)
        return IDX + bytes([form["axes"]]) + np.array(x.shape, ">u4").tobytes() + x.astype(np.uint8).tobytes()
    if kind == "table":
        return table_rewritten(form, raw)
    if kind == "digits":
        return b"".join(",".join(map(str, row)).encode() + form["end"].encode() for row in np.asarray(raw).tolist())
    if kind == "fasta":
        return _fasta(form, raw)
    if kind == "json":
        return _json(raw, form["splits"], form["style"])
    if kind == "written":
        return encoding.write(raw)
    raise InputError(f"the form {kind!r} is not known; update chainrule")


def _npy_form(content: bytes) -> Form:
    file = BytesIO(content)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    _, fortran, dtype = read(file)
    return {
        "form": "npy",
        "head": content[: file.tell()].decode("latin-1"),
        "type": dtype.str,
        "order": "F" if fortran else "C",
    }


def _png_form(content: bytes, raw: Any) -> Form:
    """The settings of pillow that give the same bytes."""
    for optimize in (False, True):
        for level in range(10):
            if _png(raw, level, optimize) == content:
                return {"form": "png", "level": level, "optimize": optimize}
    return {"form": "none"}


def _png(raw: Any, level: int, optimize: bool) -> bytes:
    from PIL import Image

    (image,) = np.asarray(raw).astype(np.uint8)
    buffer = BytesIO()
    Image.fromarray(image).save(buffer, "png", compress_level=level, optimize=optimize)
    return buffer.getvalue()


def _json_form(content: bytes, raw: list[Any], parts: dict[str, int]) -> Form:
    """The names of the splits, in the order of the file, and the style that comes closest."""
    said = json.loads(content)
    names = [name for name in said if name in parts] if isinstance(said, dict) else [""]
    ends = dict(zip(parts, np.cumsum(list(parts.values())).tolist(), strict=True))
    splits = [[name, ends[name] - parts[name], ends[name]] for name in names if name in parts]
    start = content[:2000]
    matches = [_common(_json(raw, splits, style), start) for style in range(len(STYLES))]
    return {"form": "json", "splits": splits, "style": int(np.argmax(matches))}


def _json(raw: list[Any], splits: list[list[Any]], style: int) -> bytes:
    named = {name: raw[start:end] for name, start, end in splits}
    return json.dumps(raw if len(named) < 2 else named, **STYLES[style]).encode(errors="surrogatepass") + b"\n"


def _fasta_form(content: bytes) -> Form:
    lines = content.split(b"\n")
    end = "\r\n" if lines[0].endswith(b"\r") else "\n"
    names = [line.rstrip(b"\r").decode("latin-1") for line in lines if line.startswith(b">")]
    return {"form": "fasta", "names": names, "width": max(map(len, lines[1:200]), default=0) - len(end) + 1, "end": end}


def _fasta(form: Form, raw: list[str]) -> bytes:
    if len(form["names"]) != len(raw):
        return b"".join(sequence.encode() for sequence in raw)
    width, end = max(1, form["width"]), form["end"]
    parts = []
    for name, sequence in zip(form["names"], raw, strict=True):
        parts.append(name + end)
        parts += [sequence[at : at + width] + end for at in range(0, len(sequence), width)]
    return "".join(parts).encode("latin-1")


def _common(a: bytes, b: bytes) -> int:
    """The number of bytes at the start that are the same."""
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
