"""`chainrule decompress`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from chainrule.cli.options import Json, console_of, flag

__all__ = ["decompress"]


def decompress(
    source: Annotated[str, Parameter(name="ARCHIVE", help="What `compress` wrote.")],
    /,
    *,
    model: Annotated[
        Path | None, Parameter(help="The run that it was made with [default: the place that the archive names].")
    ] = None,
    out: Annotated[Path | None, Parameter(help="The file [default: the name that was compressed].")] = None,
    rows: Annotated[
        str | None, Parameter(help="100:200 for these examples alone, written as samples are [default: the file].")
    ] = None,
    force: Annotated[bool, flag("Replace a file that exists in its place.")] = False,
    json: Json = False,
) -> None:
    """Give back the file of an archive, byte for byte, or some of its examples.

    The exit code is 3 if the archive is damaged, 4 if it was made with another model, and 5 if the model computes other
    numbers here than where it was made; nothing is written then.
    """
    from chainrule.runs.decompress import decompress as decompress_archive

    console = console_of(json)
    result = decompress_archive(source, model=model, out=out, rows=rows, force=force, progress=console.progress)
    what = "the same file" if result.whole else f"{result.examples:,} equal examples, not the same file"
    console.print(f"{result.source}: {what}, {result.bytes_out:,} bytes: {result.out}")
    if result.note:
        console.print(result.note)
    console.result(result.to_json())
