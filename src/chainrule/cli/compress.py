"""`chainrule compress`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from chainrule.cli.options import Json, MovedTo, Split, console_of, flag

if TYPE_CHECKING:
    from chainrule.runs.compress import CompressResult

__all__ = ["compress"]


Model = Annotated[
    Path | None,
    Parameter(
        help="The run; decompressing needs it, too, and its weights are not counted [default: none; everything "
        "travels in the archive and is counted]."
    ),
]


def compress(
    source: Annotated[
        str | None, Parameter(name="FILE", help="What to compress [default: elements of the run's own data].")
    ] = None,
    /,
    *,
    model: Model = None,
    out: Annotated[Path | None, Parameter(help="The archive [default: FILE.cr, or SPLIT.cr in the run].")] = None,
    elements: Annotated[
        bool, flag("Code the elements alone: decompressing writes equal examples, not the same file.")
    ] = False,
    split: Split = "test",
    lanes: Annotated[int, Parameter(help="Sequences side by side, the batch shape of the network.")] = 64,
    profile: Annotated[
        str | None, Parameter(help="native or portable [default: portable where the model has such a form].")
    ] = None,
    self_contained: Annotated[
        bool, flag("Put the model into the archive, its weights rounded to 16 bits and all of it counted.")
    ] = False,
    unchecked: Annotated[bool, flag("Do not decode the archive before it is written.")] = False,
    force: Annotated[bool, flag("Replace a file that exists in the place of the archive.")] = False,
    minutes: Annotated[float, Parameter(help="Time to read and to find what to count by, without a model.")] = 1.0,
    moved_to: MovedTo = None,
    json: Json = False,
) -> None:
    """Compress a file into an archive that gives it back byte for byte, with a model or by counts.

    Without --model nothing is trained: the symbols of a table or an array are coded by counts that both sides learn
    while they code, and any other file by xz or bz2.
    """
    from chainrule.runs.compress import compress as compress_file

    console = console_of(json)
    result = compress_file(
        source,
        model=model,
        out=out,
        elements=elements,
        split=split,
        lanes=lanes,
        profile=profile,
        self_contained=self_contained,
        unchecked=unchecked,
        force=force,
        minutes=minutes,
        moved_to=moved_to,
        progress=console.progress,
    )
    for line in lines_of(result):
        console.print(line)
    console.result(result.to_json())


def lines_of(result: CompressResult) -> list[str]:
    """What the command prints: sizes with the way they came about, what they consist of, and other compressors."""
    before = f"{result.examples:,} examples" if result.bytes_in is None else f"{result.bytes_in:,} bytes"
    how = {
        "model": f"given the model {result.run}, not counted; {result.profile}",
        "self-contained": f"with the model of {result.run} in it, counted; {result.profile}",
        "counts": "nothing trained, by counts that both sides learn, all of it counted; portable",
        "xz": "by xz alone",
        "bz2": "by bz2 alone",
        "deflate": "by deflate alone",
        "stored": "as it is",
    }[result.way]
    checked = "decoded back" if result.checked_seconds else "not decoded back"
    lines = [f"{result.source}: {before} -> {result.bytes_out:,} bytes ({how}; {checked}): {result.out}"]
    if result.way in ("model", "self-contained", "counts"):
        rate = result.elements / max(result.seconds, 1e-9)
        head = result.bytes_out - result.code_bytes - result.model_bytes - result.side_bytes
        what = "what they are counted by" if result.way == "counts" else "the model"
        of_model = f", {what} in {result.model_bytes:,}" if result.model_bytes else ""
        lines.append(
            f"{result.elements:,} elements in {result.code_bytes:,} bytes{of_model}, what is not coded so in "
            f"{result.side_bytes:,}, heads and checksums {head:,}; {rate:,.0f} elements/s"
        )
    if result.rounded:
        many = len(result.rounded) > 1
        said = "code by whole numbers, models of their own" if many else "codes by whole numbers, a model of its own"
        own = "" if result.own_bytes is None else f"; the run's own nats are {result.own_bytes:,.1f} bytes"
        lines.append(f"{' and '.join(result.rounded)} {said}{own}")
    if result.others:
        lines.append("the same file: " + ", ".join(f"{name} {size:,}" for name, size in result.others.items()))
    return [*lines, result.note] if result.note else lines
