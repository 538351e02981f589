"""A run as bytes that travel in an archive: its configuration and its weights, rounded; and the run again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from chainrule.coding.carried import carried_tensors, tensors_bytes
from chainrule.coding.groups import Archive
from chainrule.coding.whole_numbers import numbers, read_length
from chainrule.errors import DamagedArchive, InputError
from chainrule.runs.weights import tensors_file

if TYPE_CHECKING:
    from chainrule.runs.run import Run

__all__ = ["carried_bytes", "carried_run", "computing"]

KEPT = ("format", "data", "protocol", "model")  # keys of the configuration that decoding needs


def carried_bytes(run: Run) -> bytes:
    """What the archive holds of a run."""
    said = json.dumps({key: run.config[key] for key in KEPT}, separators=(",", ":")).encode()
    return numbers([len(said)]) + said + tensors_bytes(run.model().state_dict())


def carried_run(content: bytes) -> Run:
    """The run of `carried_bytes`, in memory, with the rounded weights."""
    from chainrule.runs.run import Run

    length, at = read_length(content)
    try:
        config = json.loads(content[at : at + length])
        run = Run({"training": {}} | config)
        run.files.write("model.safetensors", tensors_file(carried_tensors(content[at + length :])))
        run.model()
    except DamagedArchive:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, MemoryError) as error:
        raise DamagedArchive(f"the model in the archive cannot be built ({error}); the archive is damaged") from None
    return run


@contextmanager
def computing(archive: Archive) -> Iterator[None]:
    """Inside, a model that travels in an archive may fail in any way, which is damage of the archive."""
    try:
        yield
    except InputError:
        raise
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError) as error:
        if archive.header["way"] != "self-contained":
            raise
        raise DamagedArchive(f"the model in the archive cannot compute ({error}); the archive is damaged") from None
