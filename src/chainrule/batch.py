"""A batch: elements, which of them count, and what they stand for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from chainrule.errors import InputError

__all__ = ["Array", "Batch", "Rows"]

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]  # numbers of rows


@dataclass(frozen=True)
class Batch:
    """B examples of up to D elements.

    x: the elements, integers (symbols) or reals, shape (B, D). What stands in the padding is never read.
    mask: True where an element counts in the likelihood, shape (B, D); by default everywhere. An element that is given
        and not scored (a prefix, the context window of a stream) is False here, and so is padding, which follows the
        last element that counts.
    context: what the whole example is conditioned on: classes (B,) or vectors (B, C); None for none.
    dims, bytes: what each example stands for, in scalars of the raw data and in bytes, shape (B,); by default its
        counted elements, and none.
    segment_ids: for rows that hold several examples side by side, which of them each element belongs to: a number that
        changes where a new example begins, -1 in the padding, shape (B, D); None where a row is an example.
    impossible: True for examples whose raw value lies outside the domain, so that p(x) = 0 whatever stands in x, shape
        (B,); None where there are none.

    >>> Batch(torch.zeros(2, 3, dtype=torch.long)).elements
    tensor([3, 3])
    """

    x: Tensor
    mask: Tensor = None  # type: ignore[assignment]
    context: Tensor | None = None
    dims: Tensor = None  # type: ignore[assignment]
    bytes: Tensor = None  # type: ignore[assignment]
    segment_ids: Tensor | None = None
    impossible: Tensor | None = None

    def __post_init__(self) -> None:
        if self.x.ndim != 2:
            raise InputError(f"a batch needs elements of shape (B, D), got {tuple(self.x.shape)}; flatten each example")
        if self.mask is None:
            object.__setattr__(self, "mask", torch.ones_like(self.x, dtype=torch.bool))
        if self.mask.shape != self.x.shape or self.mask.dtype != torch.bool:
            raise InputError(
                f"the mask is {self.mask.dtype} of shape {tuple(self.mask.shape)}, "
                f"expected booleans of the elements' shape {tuple(self.x.shape)}"
            )
        if self.segment_ids is not None and self.segment_ids.shape != self.x.shape:
            raise InputError(
                f"segment_ids has the shape {tuple(self.segment_ids.shape)}, expected "
                f"the elements' {tuple(self.x.shape)}"
            )
        if self.dims is None:
            object.__setattr__(self, "dims", self.elements)
        if self.bytes is None:
            object.__setattr__(self, "bytes", torch.zeros_like(self.elements))
        for name in ("context", "dims", "bytes", "impossible"):
            value = getattr(self, name)
            if value is not None and len(value) != len(self.x):
                raise InputError(f"{name} has {len(value)} entries for {len(self.x)} examples; give one for each")

    @classmethod
    def of(cls, examples: Sequence[Any], **counts: Any) -> Batch:
        """Pad examples of any lengths into one batch; padding is known by length and never counts.

        >>> Batch.of([[1, 2, 3], [4]]).mask
        tensor([[ True,  True,  True],
                [ True, False, False]])
        """
        rows = [torch.as_tensor(example).flatten() for example in examples]
        if not rows:
            raise InputError("a batch needs at least one example, got none")
        x = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
        length = torch.tensor([len(row) for row in rows])
        return cls(x, torch.arange(x.shape[1]) < length[:, None], **counts)

    def __len__(self) -> int:
        return len(self.x)

    @property
    def examples(self) -> int:
        """How many examples: the rows, or what is packed into them."""
        return len(self.x) if self.segment_ids is None else len(set(self.segment_ids[self.segment_ids >= 0].tolist()))

    @property
    def elements(self) -> Tensor:
        """How many elements of each example count, shape (B,)."""
        return self.mask.sum(1)

    def map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """The batch with a function applied to each of its tensors."""
        parts = {field.name: getattr(self, field.name) for field in fields(self)}
        mapped: dict[str, Any] = {name: None if part is None else function(part) for name, part in parts.items()}
        return Batch(**mapped)

    def to(self, device: torch.device | str) -> Batch:
        """The same batch on another device."""
        return self.map(lambda part: part.to(device, non_blocking=True))

    def __getitem__(self, rows: slice | Tensor) -> Batch:
        """Some of the examples, as a batch."""
        return self.map(lambda part: part[rows])

    def split(self, size: int) -> list[Batch]:
        """The same examples in microbatches of at most `size`, in order, each as long as its longest example.

        >>> [part.x.shape[1] for part in Batch.of([[1, 2, 3], [4]]).split(1)]
        [3, 1]
        """
        if size >= len(self):
            return [self][: len(self)]
        return [self[start : start + size]._trimmed() for start in range(0, len(self), size)]

    def _trimmed(self) -> Batch:
        """The batch without the columns after the last element that counts."""
        length = int(self.mask.any(0).nonzero().max()) + 1 if bool(self.mask.any()) else self.x.shape[1]
        segment_ids = None if self.segment_ids is None else self.segment_ids[:, :length]
        return replace(self, x=self.x[:, :length], mask=self.mask[:, :length], segment_ids=segment_ids)
