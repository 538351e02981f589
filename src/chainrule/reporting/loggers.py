"""Where the records of a training run go: JSON lines always, TensorBoard if asked for, or an object of your own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from chainrule.atomic_files import json_bytes, write_file
from chainrule.errors import InputError

__all__ = ["JsonLines", "Logger", "TensorBoard"]

Record = dict[str, Any]


class Logger(Protocol):
    """What takes in records of figures; each holds its "step"."""

    def log(self, record: Record) -> None:
        """Take in a record."""

    def close(self) -> None:
        """No more of them come."""


class JsonLines:
    """One record a line.

    path: the file. records: what it holds to begin with, in place of what stood there: a run that goes on from a
    checkpoint begins with the records of the checkpoint, so no line stands in it twice.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "metrics.jsonl"
    >>> JsonLines(path, [{"step": 1}]).log({"step": 2})
    >>> path.read_text().splitlines()
    ['{"step": 1}', '{"step": 2}']
    """

    def __init__(self, path: Path, records: Sequence[Record] = ()) -> None:
        self.path = path
        write_file(path, b"".join(json_bytes(record, indent=None) for record in records))

    def log(self, record: Record) -> None:
        with open(self.path, "ab") as file:
            file.write(json_bytes(record, indent=None))

    def close(self) -> None:
        pass


class TensorBoard:
    """Every number of a record as a curve; needs the extra `tensorboard`.

    directory: where the event files go. step: the step from which training goes on; what was logged later is purged.
    """

    def __init__(self, directory: Path, step: int = 0) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise InputError("--tensorboard needs tensorboard; pip install chainrule[tensorboard]") from None
        self.writer: Any = SummaryWriter(str(directory), purge_step=step + 1)

    def log(self, record: Record) -> None:
        for name, value in record.items():
            if name != "step":
                self.writer.add_scalar(name, value, record["step"])

    def close(self) -> None:
        self.writer.close()
