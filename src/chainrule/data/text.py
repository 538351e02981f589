"""Text as one long stream of bytes, read through windows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from chainrule.batch import Batch
from chainrule.data.base import Array, DataSet, Rows, parse_split
from chainrule.domain import Domain
from chainrule.errors import InputError
from chainrule.noise import uniforms

__all__ = ["ByteEncoding", "StreamExamples", "open_text"]


@dataclass(frozen=True)
class StreamExamples:
    """Windows over a stream, placed so that every element is scored exactly once.

    The first window scores all it holds; each later one moves on by `stride` and scores its last `stride` elements,
    given the `window - stride` before them. The last window ends with the stream.

    stream: elements, shape (T,). offset: elements at the start that are left out (training only).

    >>> windows = StreamExamples(np.arange(10, dtype=np.uint8), window=4, stride=2)
    >>> batch = windows.batch(np.arange(len(windows)))
    >>> batch.x[batch.mask].tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
    """

    stream: Array
    window: int
    stride: int
    offset: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.stride <= self.window:
            raise InputError(f"a stride is from 1 to the window's {self.window}, got {self.stride}")

    def __len__(self) -> int:
        left = len(self.stream) - self.offset
        return 0 if left < 1 else 1 + max(0, -(-(left - self.window) // self.stride))

    def batch(self, rows: Rows) -> Batch:
        total = len(self.stream)
        size = min(self.window, total - self.offset)
        end = np.minimum(self.offset + self.window + rows * self.stride, total)
        scored_from = np.where(rows == 0, self.offset, self.offset + self.window + (rows - 1) * self.stride)
        position = end[:, None] + np.arange(-size, 0)
        mask = torch.from_numpy(position >= scored_from[:, None])
        x = torch.from_numpy(self.stream[position]).long()
        count = mask.sum(1)
        return Batch(x, mask, dims=count, bytes=count)

    def epoch(self, seed: int, epoch: int) -> StreamExamples:
        """Disjoint windows from a start that differs from epoch to epoch, so that borders move."""
        start = int(uniforms(seed, [epoch], [0])[0, 0] * self.window)
        return replace(self, stride=self.window, offset=start if len(self.stream) > 2 * self.window else 0)

    def digest(self) -> str:
        return sha256(np.ascontiguousarray(self.stream).tobytes()).hexdigest()


@dataclass(frozen=True)
class ByteEncoding:
    """Bytes as symbols 0..255, in windows."""

    window: int
    stride: int
    kind: ClassVar[str] = "bytes"

    @property
    def domain(self) -> Domain:
        """256 symbols, in windows of a fixed length."""
        return Domain(shape=(self.window,), num_symbols=256)

    def encode(self, source: str) -> StreamExamples:
        return StreamExamples(_read(Path(source)), self.window, self.stride)

    def decode(self, x: Array) -> list[bytes]:
        """One byte string a row."""
        return [row.astype(np.uint8).tobytes() for row in x]

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "window": self.window, "stride": self.stride}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> ByteEncoding:
        """The encoding that `to_json` wrote."""
        return cls(fields["window"], fields["stride"])


def _read(path: Path) -> Array:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a file") from None
    if not content:
        raise InputError(f"{path}: the file is empty; give a text of at least a few hundred bytes")
    return np.frombuffer(content, dtype=np.uint8)


def open_text(source: str, *, window: int = 256, stride: int | None = None, split: str = "80/10/10") -> DataSet:
    """A text file as one stream of bytes, divided in its order into train, valid and test.

    window: how many bytes the network reads at once. stride: by how much the window moves on in evaluation, by default
    half a window, so that every byte but the first ones is scored given at least half a window before it.
    """
    if window < 2:
        raise InputError(f"a window holds at least 2 bytes, got {window}")
    stride = max(1, window // 2) if stride is None else stride
    encoding = ByteEncoding(window, stride)
    stream = _read(Path(source))
    borders = np.cumsum([0, *parse_split(split)]) * len(stream)
    pieces = np.split(stream, borders[1:3].round().astype(int))
    train, valid, test = (StreamExamples(piece, window, stride) for piece in pieces)
    note = f"{len(stream)} bytes of text, split {split} in order; windows of {window}, evaluated with stride {stride}"
    options = {"window": window, "stride": stride, "split": split}
    return DataSet(source, encoding, train, valid, test, note, options)
