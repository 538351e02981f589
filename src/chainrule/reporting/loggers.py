"""Where the metrics of training go besides `metrics.jsonl`: TensorBoard if asked for, or an object of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from chainrule.errors import InputError

__all__ = ["Logger", "TensorBoard"]

Record = dict[str, Any]


class Logger(Protocol):
    """What takes in records of figures; each holds its "step"."""

    def log(self, record: Record) -> None:
        """Take in a record."""

    def close(self) -> None:
        """No more of them come."""


class TensorBoard:
    """Every metric as a curve of TensorBoard; needs the extra `tensorboard`.

    directory: where the event files are written.
    step: the step from which training goes on; events of later steps are removed.
    """

    def __init__(self, directory: Path, step: int = 0) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise InputError("--tensorboard needs tensorboard: pip install 'chainrule[tensorboard]'") from None
        self.writer: Any = SummaryWriter(str(directory), purge_step=step + 1)

    def log(self, record: Record) -> None:
        for name, value in record.items():
            if name != "step":
                self.writer.add_scalar(name, value, record["step"])

    def close(self) -> None:
        self.writer.close()
