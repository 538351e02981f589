"""What is given at the start of an example that is to be completed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from chainrule.errors import InputError

if TYPE_CHECKING:
    from chainrule.runs.run import Run

__all__ = ["Completion", "prefixes"]

SPLITS = ("train", "valid", "test")


class Completion:
    """The first elements of n examples, and the condition of each.

    prefix: the given elements, one tensor per example; None if nothing is given.
    context: conditions of the examples if they come from a split; None otherwise.
    """

    def __init__(self, prefix: list[Tensor] | None, context: Tensor | None = None) -> None:
        self.prefix, self.context = prefix, context


def prefixes(run: Run, value: str, n: int) -> Completion:
    """Read what `--prefix` says.

    "test:0.5": the first half of the first n test examples, and so for any split and share. A `.npy` file: elements,
    shape (P,) or (n, P). Anything else: text, for a run on text, in the symbols of the run.

    Raises InputError for a share outside (0, 1), for elements outside the domain, and for text where there is none.
    """
    split, colon, share = value.partition(":")
    if colon and split in SPLITS:
        return _beginnings(run, split, share, n)
    encoding = run.encoding()
    if value.endswith(".npy"):
        try:
            x = np.load(Path(value), allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise InputError(f"{value}: is not a readable .npy file ({error})") from None
        rows = x.reshape(1 if x.ndim == 1 else len(x), -1)
        encoding.domain.check(rows, value)
        given = torch.from_numpy(rows.astype(np.float64 if rows.dtype.kind == "f" else np.int64))
        return Completion(list(given.expand(n, -1) if len(given) == 1 else given))
    alphabet = encoding.alphabet
    if alphabet is None:
        raise InputError(
            f"--prefix {value!r}: this run is not on text; give a .npy file of elements, "
            "or test:0.5 for the first half of test examples"
        )
    symbols = torch.from_numpy(alphabet.encode(value.encode("utf-8", "surrogateescape"), "--prefix").astype(np.int64))
    return Completion([symbols] * n)


def _beginnings(run: Run, split: str, share: str, n: int) -> Completion:
    try:
        part = float(share)
    except ValueError:
        part = 0.0
    if not 0 < part < 1:
        raise InputError(f"--prefix {split}:{share}: the share that is given lies between 0 and 1, such as {split}:0.5")
    examples = run.data().split(split)
    if len(examples) < n:
        raise InputError(f"--prefix {split}:{share}: the {split} split has {len(examples)} examples, got n={n}")
    batch = examples.batch(np.arange(n))
    number = torch.arange(1, batch.x.shape[1] + 1)
    held = (batch.mask * number).amax(1)  # also those before the first that counts; behind the last is padding
    kept = torch.minimum((held.double() * part).ceil().long(), held - 1).clamp(min=0).tolist()
    return Completion([x[:length] for x, length in zip(batch.x, kept, strict=True)], batch.context)
