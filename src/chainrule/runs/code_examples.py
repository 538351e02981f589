"""The examples of a source as sequences to be coded, and raw data again from the sequences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from json import dumps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from chainrule.batch import Array
from chainrule.coding.coded import rows_off_grid
from chainrule.data.encodings.base import Encoding
from chainrule.data.encodings.ends import until_end
from chainrule.data.examples.base import Examples
from chainrule.errors import DamagedArchive, InputError
from chainrule.evaluation.evaluate import evaluate
from chainrule.models.base import Model
from chainrule.models.chain import AutoregressiveModel

if TYPE_CHECKING:
    from chainrule.runs.run import Run

__all__ = [
    "ROWS",
    "SEQUENCES",
    "STREAM",
    "UNLIKE",
    "alone",
    "best_order",
    "chain_in_order",
    "digest_of",
    "elements_of_file",
    "impossible_rows",
    "inverse",
    "raw_data",
    "refuse_impossible",
    "reordered",
]

ROWS, STREAM, SEQUENCES = "rows", "stream", "sequences"
BY_LINE = ("table", "text")  # kinds of data of which lines may be left out
ENDINGS = {"array": ".data", "table": ".csv"}  # by which files of lines are known, whatever their names
NUMPY, NO_ARRAY = b"\x93NUMPY", "not a readable .npy"
FAULTS = 64  # lines that cannot be read, up to which a file is coded by the model
UNLIKE = 1024  # examples that a header names because they differ from their line; from the last of so many on, all may
FEW = 512  # examples by which the best of several orders is found


def digest_of(run: Run) -> str:
    """128 bits of SHA-256: how a model is built, its weights, and how data become its elements."""
    said = {"model": run.config["model"], "encoding": run.config["data"]["encoding"]}
    weights = run.files.read("model.safetensors") or b""
    return sha256(dumps(said, sort_keys=True).encode() + sha256(weights).digest()).hexdigest()[:32]


def chain_in_order(model: Model, chosen: int) -> tuple[AutoregressiveModel, Tensor | None]:
    """The chain that codes, and the order in which it reads the elements, None for the natural one.

    model: a chain, a chain in another order, or a mixture over orders, of which one is taken.
    chosen: number of the order that is taken of several.
    """
    if not model.permuted_chains:
        return model.single_chain(), None
    if not 0 <= chosen < len(model.permuted_chains):
        raise DamagedArchive("the header names an order that the model does not have; the archive is damaged")
    member = model.permuted_chains[chosen]
    return member.model, member.order


def best_order(model: Model, examples: Examples) -> tuple[int, float]:
    """The order that codes the first examples best, and how many nats per example more than their mixture it takes."""
    few = examples.first(FEW) if len(examples) > FEW else examples
    members = [float(evaluate(member, few).nats.mean()) for member in model.permuted_chains]
    best = int(np.argmax(members))
    return best, float(evaluate(model, few).nats.mean()) - members[best]


@contextmanager
def alone(path: Path, ending: str = "") -> Iterator[Path]:
    """The file in a folder of its own, under a name that no split has, so that nothing beside it is read.

    path: the file.
    ending: what is added to its name, by which readers know the format.
    """
    with TemporaryDirectory() as folder:
        place = Path(folder) / f"file-{path.name[-200:]}{ending}"
        place.symlink_to(path.resolve())
        yield place


def encoded(encoding: Encoding, path: Path) -> dict[str, Examples]:
    """The examples of a file by split; raises InputError where the model cannot read it, or no code holds a number."""
    parts = encoding.encode_parts(str(path))
    for examples in parts.values():
        if encoding.domain.num_symbols is None and examples.windows is None:
            for start in range(0, len(examples), 4096):
                x = examples.batch(np.arange(start, min(start + 4096, len(examples)))).x.double().numpy()
                if (off := rows_off_grid(x, encoding.domain)).any():
                    row = x[off][0].tolist()
                    raise InputError(f"a row has a number that no code holds, too large or between two steps: {row}")
    return parts


def elements_of_file(encoding: Encoding, path: Path, content: bytes) -> tuple[dict[str, Examples], bytes, str]:
    """The examples of a file by split, what of the file was read, and a remark where that is not all of it.

    encoding: how files become elements.
    path: the file; what stands beside it is read only where the examples are conditioned on it.
    content: its bytes.

    A file whose name is that of another format is read as what the model was fitted to. Lines of a table or of a text
    that the model cannot read are left out: they belong to the difference.
    """
    if encoding.conditions is not None:
        return encoded(encoding, path), content, ""
    own = ENDINGS.get(encoding.kind, path.suffix)
    endings = ["", own] if path.suffix != own and not content.startswith(NUMPY) else [""]
    for ending in endings:
        try:
            return _elements_of(encoding, path, content, ending)
        except InputError as error:
            if ending == endings[-1]:
                words = "is neither an array of NumPy nor lines of 0 and 1 with commas, as the model reads them"
                raise InputError(f"{path}: {words}") if NO_ARRAY in str(error) else error from None
    raise AssertionError("a file is read in one way or another, or refused")  # a fault of ours


def _elements_of(encoding: Encoding, path: Path, content: bytes, ending: str) -> tuple[dict[str, Examples], bytes, str]:
    """The same of a file with an ending added to its name."""
    with alone(path, ending) as place:
        try:
            return encoded(encoding, place), content, ""
        except InputError as error:
            refused = InputError(str(error).replace(str(place), str(path)))
        if encoding.kind not in BY_LINE:
            raise refused
        place.unlink()
        first, *lines = content.splitlines(keepends=True) or [b""]
        faults = [FAULTS]
        kept = _readable(encoding, place, first, lines, faults)
        if not kept or faults[0] < 0:
            raise refused
        read = first + b"".join(kept)
        place.write_bytes(read)
        said = f"{len(lines) - len(kept)} lines that the model cannot read are left to a general compressor: {refused}"
        return encoded(encoding, place), read, said


def _readable(encoding: Encoding, place: Path, first: bytes, lines: list[bytes], faults: list[int]) -> list[bytes]:
    """The lines that can be read, found by halving; all are given up after so many faults.

    encoding: how files become elements.
    place: a file to try them in.
    first: the line that stands before all of them.
    lines: the lines.
    faults: how many lines may still be found that cannot be read.
    """
    if not lines or faults[0] < 0:
        return []
    place.write_bytes(first + b"".join(lines))
    try:
        encoded(encoding, place)
        return lines
    except InputError:
        if len(lines) == 1:
            faults[0] -= 1
            return []
    half = len(lines) // 2
    return [
        *_readable(encoding, place, first, lines[:half], faults),
        *_readable(encoding, place, first, lines[half:], faults),
    ]


def impossible_rows(examples: Examples) -> list[int]:
    """The rows outside the domain, whose elements are those of another row."""
    rows: list[int] = []
    for start in range(0, len(examples) if examples.windows is None else 0, 4096):
        impossible = examples.batch(np.arange(start, min(start + 4096, len(examples)))).impossible
        if impossible is not None:
            rows += (start + impossible.nonzero().flatten()).tolist()
    return rows


def refuse_impossible(examples: Examples) -> None:
    """Raise InputError where a row lies outside the domain: its elements would be those of another row."""
    if rows := impossible_rows(examples):
        raise InputError(
            f"row {rows[0]} holds a value that the model does not have (p = 0), so that its elements say nothing of "
            "it; compress the file itself, without --elements"
        )


def raw_data(encoding: Encoding, sequences: Sequence[Array], arranged: str) -> Any:
    """What the encoding decodes from sequences of elements.

    sequences: elements of each, with the end where there is one.
    arranged: ROWS of one length, pieces of a STREAM, or SEQUENCES of any lengths.
    """
    real = encoding.domain.num_symbols is None
    if arranged == STREAM:
        whole = np.concatenate([*sequences, np.zeros(0)]).astype(np.int64)
        return encoding.decode(whole[None])
    if arranged == SEQUENCES:
        rows = (until_end(x.astype(np.int64), encoding.domain.end) for x in sequences)
        return [encoding.decode(row[None])[0] for row in rows]
    x = np.stack(list(sequences)) if len(sequences) else np.zeros((0, encoding.domain.length))
    return encoding.decode(x if real else x.astype(np.int64))


def reordered(sequences: Sequence[Array], order: Tensor | None) -> list[Array]:
    """The elements of each sequence in an order."""
    if order is None:
        return list(sequences)
    places = order.cpu().numpy()
    return [x[places] for x in sequences]


def inverse(order: Tensor | None) -> Tensor | None:
    """The order that undoes an order."""
    return None if order is None else torch.argsort(order)
