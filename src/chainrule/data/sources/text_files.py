"""Raw text from disk: a file (also compressed), a folder, or the text field of JSON lines; whole or in documents."""

from __future__ import annotations

import json
from pathlib import Path

from chainrule.data.sources.plain_files import data_ending, refuse_false_ending, unpacked
from chainrule.errors import InputError

__all__ = ["TEXT_ENDINGS", "check_filled", "read_documents", "read_file", "read_json_lines", "text_files"]

TEXT_ENDINGS = (
    *(".txt", ".md", ".rst", ".tex", ".html", ".css", ".xml", ".toml", ".yaml", ".yml", ".sh", ".r", ".jl"),
    *(".py", ".c", ".h", ".cc", ".cpp", ".hpp", ".rs", ".go", ".java", ".js", ".ts"),
)


def read_file(path: Path) -> bytes:
    """The content of a file that is not empty, unpacked where it is compressed (gzip, bzip2, xz, zstandard)."""
    refuse_false_ending(path)
    with unpacked(path, any_format=True) as file:
        content = file.read()
    if not content:
        raise InputError(f"{path}: the file is empty; give a text of at least a few hundred bytes")
    return content


def text_files(source: str) -> list[Path]:
    """The files of a source: itself, or a folder's text files at any depth by path, hidden ones left out."""
    path = Path(source)
    if not path.is_dir():
        return [path]
    found = [
        file
        for file in sorted(path.rglob("*"))
        if file.is_file()
        and data_ending(file.name) in TEXT_ENDINGS
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
    if not found:
        raise InputError(f"{source}: the folder holds no text files (.txt, .md, code); give one that does, or a file")
    return found


def read_documents(source: str, documents: str, field: str | None) -> tuple[list[bytes], bytes]:
    r"""The documents of a source, none of them empty, and the bytes between two of them.

    source: a file or a folder.
    documents: "line", "file", "record" (the text field of each line of a `.jsonl`), or a separator such as
        "<|endoftext|>", in which \n and \t may be written.
    field: the name of the text field; None for "text".
    """
    if documents == "record":
        rows = read_json_lines(Path(source))
        name = "text" if field is None else field
        texts = []
        for number, row in enumerate(rows, start=1):
            text = row.get(name) if isinstance(row, dict) else None
            if not isinstance(text, str):
                known = ", ".join(sorted(row)) if isinstance(row, dict) else type(row).__name__
                raise InputError(
                    f"{source} line {number}: has no text field {name!r} (it has {known}); name it with --field"
                )
            texts.append(text.encode("utf-8", "surrogatepass"))
        return check_filled(texts, source, "line"), b""
    files = text_files(source)
    if documents == "file":
        return [read_file(file) for file in files], b""
    pieces: list[bytes] = []
    separator = documents.encode().decode("unicode_escape").encode("latin-1") if documents != "line" else b"\n"
    for file in files:
        content = read_file(file)
        if documents == "line" and b"\r\n" in content[:4096]:
            separator = b"\r\n"
        parts = content.split(separator)
        pieces += check_filled(
            parts[:-1] if not parts[-1] else parts, str(file), "line" if documents == "line" else "document"
        )
    return pieces, separator


def check_filled(texts: list[bytes], source: str, unit: str) -> list[bytes]:
    """The texts; raises InputError for an empty one."""
    for number, text in enumerate(texts, start=1):
        if not text:
            raise InputError(f"{source} {unit} {number}: is empty; remove it, or divide the text in another way")
    return texts


def read_json_lines(path: Path) -> list[object]:
    """The values of a `.jsonl` file, one per line; blank lines are skipped."""
    rows = []
    for number, line in enumerate(read_file(path).splitlines(), start=1):
        if line.strip():
            try:
                rows.append(json.loads(line))
            except ValueError as error:
                raise InputError(f"{path} line {number}: is not JSON ({error}); correct it") from None
    if not rows:
        raise InputError(f"{path}: holds no lines; give it examples")
    return rows
