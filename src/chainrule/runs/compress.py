"""`compress`: a file, or examples, as an archive that gives them back exactly, as short as the likelihood says."""

from __future__ import annotations

import bz2
import lzma
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np

from chainrule.coding.container import archive_bytes, read_archive
from chainrule.coding.groups import ELEMENTS, MODEL, SIDE, Group
from chainrule.coding.header import GENERAL
from chainrule.data.sources.plain_files import stream_name
from chainrule.errors import InputError, unknown_name
from chainrule.runs.archiving import Work, general, work_of_counts, work_of_elements, work_of_file
from chainrule.runs.carried import carried_bytes, carried_run
from chainrule.runs.counted import Counted
from chainrule.runs.decompress import decoded_file, decoded_sequences, opened, run_of
from chainrule.runs.places import place_of_file, write_at
from chainrule.runs.progress import Progress, silent
from chainrule.runs.rounded import own_bytes, rounded_of

if TYPE_CHECKING:
    from chainrule.runs.run import Run

__all__ = ["CompressResult", "compress"]

COMPARED = 1 << 25  # bytes up to which general compressors are tried on the same file


@dataclass(frozen=True)
class CompressResult:
    """What was compressed, and into how many bytes.

    source, out: the file, or the split of the run's own data, and the archive.
    way: "model", where both sides need the run, whose weights are not counted; "self-contained", where they travel in
        the archive and are counted; "counts", where nothing is trained and both sides learn counts while they code;
        "xz", "bz2", "deflate" or "stored" where no model codes the file.
    profile: "native" decodes where the model computes the same numbers, "portable" and "any" everywhere.
    run: the run; empty where there is none.
    bytes_out: bytes of the archive.
    code_bytes, model_bytes, side_bytes: bytes of the elements, of the model or of what says how they are counted, and
        of what neither codes.
    seconds, checked_seconds: duration of coding, and of decoding back.
    bytes_in: bytes of the file; None where the elements alone were coded.
    elements, examples: how many of them there are.
    rounded: the networks that code by whole numbers, as models of their own beside those of the run.
    own_bytes: what the nats of the run itself come to for the same rows, where such networks code; else None.
    others: bytes of the same file by general compressors.
    note: what there is to say besides.
    """

    source: str
    out: str
    way: str
    profile: str
    run: str
    bytes_out: int
    seconds: float
    checked_seconds: float
    code_bytes: int = 0
    model_bytes: int = 0
    side_bytes: int = 0
    bytes_in: int | None = None
    elements: int = 0
    examples: int = 0
    rounded: tuple[str, ...] = ()
    own_bytes: float | None = None
    others: dict[str, int] = field(default_factory=dict)
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Every field by name."""
        return asdict(self)


def compress(
    source: Path | str | None = None,
    *,
    model: Run | Path | str | None = None,
    out: Path | str | None = None,
    elements: bool = False,
    split: str = "test",
    lanes: int = 64,
    profile: str | None = None,
    self_contained: bool = False,
    unchecked: bool = False,
    force: bool = False,
    minutes: float = 1.0,
    moved_to: Path | str | None = None,
    progress: Progress = silent,
) -> CompressResult:
    """Compress a file into an archive that gives it back byte for byte, with a model or by counts.

    source: a file of the kind of data that the run was fitted to; None for the elements of a split of its own data.
    model: the run, or its directory; decompressing needs it, too, and its weights are not counted. None for an archive
        that needs no run and in which everything is counted: the symbols of a table or an array by counts that both
        sides learn while they code, any other file by xz or bz2.
    out: the archive, by default the source with .cr behind it; of a split of the run's own data, in the run.
    elements: code the elements alone: decompressing writes equal examples, not the same file.
    split: of the run's own data, or with `elements` of a source that has splits: train, valid or test.
    lanes: sequences side by side, the batch shape of the network.
    profile: "portable" for an archive that decodes on every machine, "native" for the float32 numbers of this one; None
        for portable where the model has such a form.
    self_contained: put the model into the archive, its weights rounded to 16 bits and all of it counted, so that
        decompressing needs no run.
    unchecked: do not decode the archive before it is written.
    force: replace an archive, or any other file, that exists in its place.
    minutes: time to read the file and to find what to count by, without a model.
    moved_to: where the run's own data are now, if they were moved; their hash is checked.
    progress: shows how far it is.

    Raises InputError for densities, which say nothing about bits.
    """
    _check_options(profile, lanes, minutes)
    if model is None:
        _check_alone(source, elements, profile, moved_to)
    run = None if model is None else opened(model).moved(moved_to)
    place = _place(run, source, split, out, force)
    begun = perf_counter()
    used, carried = _rounded(run, source) if run is not None and self_contained else (run, None)
    if used is None:
        work = work_of_counts(Path(source or ""), 60 * minutes, progress)
    elif source is None or elements:
        work = work_of_elements(used, source, split, lanes, profile)
    else:
        work = work_of_file(used, Path(source), lanes, profile)
    work = replace(work, carried=carried)
    content, groups, way, note = _archive(work, progress)
    coded = perf_counter()
    if not unchecked:
        _check(content, work, progress)
    checked = perf_counter()
    write_at(place, content)
    made = CompressResult(
        source=f"the {split} split" if source is None else str(source),
        out=str(place),
        way=way,
        profile="any" if way in GENERAL else work.profile,
        run="" if run is None else run.name,
        bytes_out=len(content),
        seconds=coded - begun,
        checked_seconds=0.0 if unchecked else checked - coded,
        note=note,
    )
    return _counted(made, work, groups)


def _rounded(run: Run, source: Path | str | None) -> tuple[Run, bytes]:
    """The run that travels in an archive, and its bytes; with the data of its own where these are coded."""
    carried = carried_bytes(run)
    rounded = carried_run(carried)
    return (rounded if source is not None else rounded.with_data(run.data())), carried


def _check_options(profile: str | None, lanes: int, minutes: float) -> None:
    if profile not in (None, "native", "portable"):
        raise unknown_name("profile", str(profile), ("native", "portable"))
    if not 1 <= lanes <= 1 << 16:
        raise InputError(f"--lanes is between 1 and {1 << 16}, got {lanes}")
    if not 0 <= minutes < 1e6:
        raise InputError(f"--minutes is the time to read and to find what to count by, 0 or more, got {minutes}")


def _check_alone(source: Path | str | None, elements: bool, profile: str | None, moved_to: Path | str | None) -> None:
    """Raise InputError for what needs a run, where there is none."""
    if source is None:
        raise InputError("there is nothing to compress; name a file, or a run with --model for its own data")
    for given, name in ((elements, "--elements"), (moved_to is not None, "--moved-to")):
        if given:
            raise InputError(f"{name} needs a run; name one with --model, or leave it out")
    if profile == "native":
        raise InputError(
            "counts are the same on every machine, so that there is no native archive; leave out --profile"
        )


def _counted(made: CompressResult, work: Work, groups: list[Group]) -> CompressResult:
    """The result with what was coded, into how many bytes of each kind, and the bytes by general compressors."""
    sizes = [sum(len(group.code) for group in groups if group.kind == kind) for kind in (ELEMENTS, MODEL, SIDE)]
    made = replace(made, code_bytes=sizes[0], model_bytes=sizes[1], side_bytes=sizes[2])
    if work.coded is not None:
        made = replace(made, elements=work.coded.elements, examples=len(work.coded.sequences))
        if made.way not in GENERAL:
            rounded = rounded_of(work)
            made = replace(made, rounded=rounded, own_bytes=own_bytes(work) if rounded else None)
    if work.content is None:
        return made
    return replace(made, bytes_in=len(work.content), others=_others(work.content))


def _place(run: Run | None, source: Path | str | None, split: str, out: Path | str | None, force: bool) -> Path:
    """Where the archive is written; refused before anything is coded."""
    if out is None and source is not None and stream_name(source) is not None:
        raise InputError(f"{source}: comes through a pipe and has no name; name the archive with --out")
    default: Path | str = "" if source is None else f"{source}.cr"
    if source is None and out is None and run is not None:
        default = run.directory / f"{split}.cr"
    return place_of_file(Path(default if out is None else out), source, force=force)


def _archive(work: Work, progress: Progress) -> tuple[bytes, list[Group], str, str]:
    """The bytes of the archive, its groups, the way that was taken, and what there is to say."""
    if work.coded is not None:
        header, groups = work.archive(progress)
        content = archive_bytes(header, groups)
        if work.content is None:
            return content, groups, work.way, work.note
    plain = work.content or b""
    header, whole = general(work.source, plain)
    other = archive_bytes(header, whole)
    way = header["way"]
    if work.coded is None:
        return other, whole, way, work.note
    if len(content) <= len(other):
        return content, groups, work.way, work.note
    stream = "file as it is" if way == "stored" else f"{way} stream"
    how = "by counts" if work.way == "counts" else "with the model"
    said = f"{how} it would be {len(content):,} bytes, so it holds the {stream} alone"
    return other, whole, way, f"{work.note}; {said}" if work.note else said


def _check(content: bytes, work: Work, progress: Progress) -> None:
    """Decode an archive before it is written; raises AssertionError where it does not give everything back."""
    archive = read_archive(content)
    run = None if archive.header["way"] in GENERAL else run_of(archive, work.run)
    if run is None or isinstance(run, Counted) or work.content is not None:
        same = decoded_file(archive, run, progress) == work.content
    else:
        _, sequences = decoded_sequences(archive, run, None, progress)
        kept = [] if work.coded is None else work.coded.sequences
        pairs = zip(sequences, kept, strict=True)
        same = all(np.array_equal(x, y, equal_nan=True) for x, y in pairs)
    if not same:
        raise AssertionError("the archive does not decode to what was compressed; nothing was written")


def _others(content: bytes) -> dict[str, int]:
    """The bytes of a file by general compressors; nothing for large files, which take them long."""
    if len(content) > COMPARED:
        return {}
    return {"xz": len(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)), "bz2": len(bz2.compress(content, 9))}
