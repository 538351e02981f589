"""`decompress`: the file of an archive, or some of its examples, and nothing where they are not surely the same."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.batch import Array
from chainrule.coding.canary import canary, difference_of_machines, with_threads
from chainrule.coding.container import read_archive
from chainrule.coding.groups import ELEMENTS, MODEL, SIDE, Archive
from chainrule.coding.header import GENERAL, checked
from chainrule.coding.patch import patched
from chainrule.coding.side import side_plain
from chainrule.coding.told import Told, decoded_groups, told_of
from chainrule.coding.whole_numbers import read_length
from chainrule.data.rewriting.forms import rewritten
from chainrule.data.sources.plain_files import as_file, stream_name
from chainrule.errors import DamagedArchive, InputError, OtherMachine, OtherModel
from chainrule.runs.carried import carried_run, computing
from chainrule.runs.code_examples import (
    ROWS,
    SEQUENCES,
    STREAM,
    UNLIKE,
    chain_in_order,
    digest_of,
    inverse,
    raw_data,
    reordered,
)
from chainrule.runs.counted import Counted, counted_of, counted_sequences
from chainrule.runs.places import place_of_file, write_at
from chainrule.runs.progress import Progress, silent

if TYPE_CHECKING:
    from chainrule.runs.run import Run

__all__ = ["DecompressResult", "decoded_file", "decoded_sequences", "decompress", "opened", "run_of"]

MOST_THREADS = 1024
OF_FORM, OF_BYTE = (
    1 << 24,
    16,
)  # bytes that the form of a file and its difference may have, and more for each of its own
LEFT_OUT = "lines that the model could not read are no examples: rows are counted without them"


@dataclass(frozen=True)
class DecompressResult:
    """What was decompressed.

    source, out: the archive and the file that was written.
    whole: whether the file is the same that was compressed; otherwise equal examples stand in it.
    bytes_out: bytes of the file.
    examples: number of examples that were decoded; None for a file that no model coded.
    sha256: hash of the file.
    note: what there is to say besides.
    """

    source: str
    out: str
    whole: bool
    bytes_out: int
    examples: int | None
    sha256: str
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Every field by name."""
        return asdict(self)


def opened(model: Run | Path | str) -> Run:
    """A run, or that of a directory."""
    from chainrule.runs.run import Run

    return Run.open(model) if isinstance(model, str | Path) else model


def decompress(
    source: Path | str,
    *,
    model: Run | Path | str | None = None,
    out: Path | str | None = None,
    rows: str | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> DecompressResult:
    """Give back the file of an archive, byte for byte, or some of its examples.

    source: the archive.
    model: the run that it was made with, or its directory; by default the place that the archive names.
    out: the file, by default the name that was compressed, beside the archive.
    rows: "100:200" for these examples alone (of a stream, these symbols): only the groups that hold them are decoded,
        and they are written as samples are.
    force: replace a file that exists in its place.
    progress: shows how far it is.

    Raises DamagedArchive, OtherModel or OtherMachine, and writes nothing, where what is decoded would not be the same.
    """
    path = Path(source)
    try:
        with as_file(source) as file:
            archive = checked(read_archive(file.read_bytes(), str(path)))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); name an archive") from None
    name = Path(archive.header["source"]["name"]).name or "decompressed"
    whole = rows is None and "sha256" in archive.header["source"]
    if archive.header["way"] in GENERAL:
        if rows is not None:
            raise InputError(f"{path}: no model codes it, so that it has no examples; leave out --rows")
        return _written(path, _place(path, name, out, force), decoded_file(archive, None, progress), True, None)
    run = run_of(archive, model)
    encoding = run.encoding()
    if whole:
        place = _place(path, name, out, force)
        content = decoded_file(archive, run, progress)
        return _written(path, place, content, True, archive.header["sequences"])
    ending = next(ending for ending in encoding.file_endings if ending not in (".png", ""))
    place = _place(path, Path(name).stem + ending, out, force)
    raw = decoded_raw(archive, run, rows, progress)
    content = encoding.write_as(place.suffix, raw) if place.suffix in encoding.file_endings else encoding.write(raw)
    note = LEFT_OUT if rows is not None and archive.header.get("left_out") else ""
    return replace(_written(path, place, content, False, len(raw)), note=note)


def _written(path: Path, place: Path, content: bytes, whole: bool, examples: int | None) -> DecompressResult:
    write_at(place, content)
    return DecompressResult(str(path), str(place), whole, len(content), examples, sha256(content).hexdigest())


def _place(path: Path, name: str, out: Path | str | None, force: bool) -> Path:
    """Where the file is written; refused before anything is decoded."""
    if out is not None:
        return place_of_file(Path(out), path, force=force)
    if stream_name(path) is not None:
        raise InputError(f"{path}: comes through a pipe; name the file with --out")
    return place_of_file(path.parent / name, path, force=force)


def run_of(archive: Archive, model: Run | Path | str | None) -> Run | Counted:
    """The run that an archive was made with, out of the archive itself where it travels in it, or what is counted.

    archive: the archive.
    model: the run, or its directory; None for the place that the archive names.

    Raises OtherModel for another run.
    """
    if archive.header["way"] == "counts":
        return counted_of(archive)
    said = archive.header["model"]
    if archive.header["way"] == "self-contained":
        return _carried(archive)
    place = said["place"] if model is None else model
    if isinstance(place, str) and not Path(place).is_dir():
        raise InputError(f"{place}: there is no such run; say where the run is with --model RUN")
    run = opened(place)
    if digest_of(run) != said["sha256"]:
        raise OtherModel(
            f"the archive was made with the model of {said['place']} (sha256 {said['sha256'][:12]}), "
            f"{run.name} is another one ({digest_of(run)[:12]}); name that run with --model"
        )
    return run


def _carried(archive: Archive) -> Run:
    """The run that travels in an archive."""
    groups = archive.of_kind(MODEL)
    if len(groups) != 1:
        raise DamagedArchive("the archive does not hold its model; it is damaged, fetch it again")
    return carried_run(side_plain(groups[0]))


def decoded_sequences(
    archive: Archive, run: Run, rows: tuple[int, int] | None, progress: Progress
) -> tuple[Told, list[Array]]:
    """Sequences of an archive, in the order in which the chain reads their elements.

    archive: the archive.
    run: the run that it was made with.
    rows: first sequence and the one after the last; None for all.
    progress: shows how far it is.
    """
    said = checked(archive).header["model"]
    chain, _ = chain_in_order(run.model(), said["order"])
    told = told_of(archive, run.encoding().domain, chain.length)
    first, last = (0, told.count) if rows is None else rows
    if not 0 <= first <= last <= told.count:
        raise InputError(f"the archive has {told.count} examples, got --rows {first}:{last}")
    threads = archive.header["machine"]["threads"]
    if not 1 <= threads <= MOST_THREADS:
        raise DamagedArchive(f"the header says {threads} threads; the archive is damaged, fetch it again")
    with computing(archive), with_threads(threads), progress("decompressing", _elements(archive)) as update:
        if told.count and canary(chain, told.layout, told.context) != archive.header["canary"]:
            raise OtherMachine(
                "the model's numbers differ here in their last bits from where the archive was made "
                f"({difference_of_machines(archive.header['machine'])}); decompress it there, or set it as it was"
            )
        return told, decoded_groups(chain, archive, told, range(first, last), update)


def _arranged(archive: Archive) -> str:
    arranged = archive.header["arranged"]
    if arranged not in (ROWS, STREAM, SEQUENCES):
        raise DamagedArchive("the header does not say what is coded; the archive is damaged, fetch it again")
    return str(arranged)


def decoded_raw(archive: Archive, run: Run | Counted, rows: str | None, progress: Progress) -> Any:
    """What the encoding decodes from the sequences of an archive, or from some of them.

    archive, run, progress: as in `decoded_sequences`.
    rows: "100:200", of a stream numbers of symbols; None for all.
    """
    arranged = _arranged(archive)
    if isinstance(run, Counted) and arranged != ROWS:
        raise DamagedArchive("rows alone are counted, and the header names others; the archive is damaged")
    chosen, inside = _chosen(archive, arranged, rows)
    if isinstance(run, Counted):
        return raw_data(run.encoding(), counted_sequences(archive, run, chosen, progress), arranged)
    _, sequences = decoded_sequences(archive, run, chosen, progress)
    _, order = chain_in_order(run.model(), archive.header["model"]["order"])
    if arranged == STREAM and inside is not None:
        from numpy import concatenate, zeros

        sequences = [concatenate([*sequences, zeros(0)])[inside]]
    return raw_data(run.encoding(), reordered(sequences, inverse(order)), arranged)


def _chosen(archive: Archive, arranged: str, rows: str | None) -> tuple[tuple[int, int] | None, slice | None]:
    """The numbers of the sequences that are wanted, and of a stream the part of them."""
    if rows is None:
        return None, None
    begin, end = _range(rows)
    if arranged != STREAM:
        _refuse_unlike(archive, begin, end)
        return (begin, end), None
    size, symbols = archive.header["layout"]["longest"], _elements(archive)
    if end > symbols:
        raise InputError(f"the archive has {symbols} symbols, got --rows {begin}:{end}")
    start = begin // max(1, size)
    return (start, max(start, -(-end // max(1, size)))), slice(begin - start * size, end - start * size)


def _range(rows: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,15}):([0-9]{1,15})", rows)
    if found is None or int(found[1]) > int(found[2]):
        raise InputError(f"--rows is a range such as 100:200, got {rows!r}")
    return int(found[1]), int(found[2])


def _elements(archive: Archive) -> int:
    """The number of elements that the groups say they have."""
    return sum(group.plain_length for group in archive.of_kind(ELEMENTS)) // 8


def _refuse_unlike(archive: Archive, begin: int, end: int) -> None:
    """Raise InputError where an example is wanted whose elements are not those of its line in the file."""
    unlike = archive.header.get("unlike", [])
    if type(unlike) is not list or any(type(row) is not int for row in unlike):
        raise DamagedArchive("the header does not say which examples differ; the archive is damaged, fetch it again")
    wanted = [row for row in unlike if begin <= row < end]
    if not wanted and len(unlike) >= UNLIKE and begin < end and end > unlike[-1]:
        wanted = [max(begin, unlike[-1])]
    if wanted:
        raise InputError(
            f"example {wanted[0]} has a value that the model does not have; the whole file gives it back: leave "
            "out --rows, or ask for others"
        )


def decoded_file(archive: Archive, run: Run | Counted | None, progress: Progress) -> bytes:
    """The file of an archive; raises DamagedArchive where it is not the same.

    archive: the archive.
    run: the run that it was made with, or what is counted; None where no model codes it.
    progress: shows how far it is.
    """
    said, side = checked(archive).header["source"], archive.of_kind(SIDE)
    size = said.get("bytes")
    if type(size) is not int or size < 0:
        raise DamagedArchive("the header does not say source.bytes; the archive is damaged, fetch it again")
    if run is None:
        content = side_plain(side[0], size) if len(archive.groups) == len(side) == 1 else b""
    else:
        raw = decoded_raw(archive, run, None, progress)
        content = _rewritten(run, raw, side_plain(side[-1], OF_FORM + OF_BYTE * size) if side else b"")
    if len(content) != size or sha256(content).hexdigest() != said.get("sha256"):
        raise DamagedArchive(
            "what is decoded is not the file that was compressed; the archive is damaged, fetch it again"
        )
    return content


def _rewritten(run: Run | Counted, raw: Any, side: bytes) -> bytes:
    """The file from its decoded examples and what they do not say about it."""
    length, at = read_length(side)
    try:
        form = json.loads(side[at : at + length])
        close = rewritten(run.encoding(), form, raw)
    except (ValueError, TypeError, LookupError, OverflowError, OSError) as error:
        raise DamagedArchive(f"the form of the file cannot be read ({error}); the archive is damaged") from None
    return patched(close, side[at + length :])
