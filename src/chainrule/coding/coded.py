"""Examples as groups of an archive, and back: what is coded, in which order, and how much of it at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import torch

from chainrule.batch import Array
from chainrule.coding.elements import Anchor, not_on_grid
from chainrule.coding.groups import ELEMENTS, Group
from chainrule.coding.side import side_group
from chainrule.coding.walk import Layout, encode_sequences, ready
from chainrule.coding.whole_numbers import numbers
from chainrule.data.examples.base import Examples
from chainrule.domain import Domain
from chainrule.errors import InputError
from chainrule.models.chain import AutoregressiveModel

__all__ = ["GROUP", "Coded", "coded_examples", "element_groups", "plain_elements", "rows_off_grid"]

GROUP = 1 << 18  # elements of a group: few enough to be decoded at once, enough that its head costs nothing
WINDOWS_OF_A_PIECE = 16  # of a stream, which is coded in pieces side by side
LONGEST_PIECE = 1 << 16  # elements


@dataclass(frozen=True)
class Coded:
    """Sequences of elements as they are coded.

    sequences: elements of each, float64, with the end where there is one.
    layout: how they are walked.
    context: what each is conditioned on, None for p(x).
    told: whether lengths differ and are not coded by an end, so that they have to be told.
    is_stream: whether the sequences are pieces of one stream.
    """

    sequences: list[Array]
    layout: Layout
    context: Array | None
    told: bool
    is_stream: bool

    @property
    def elements(self) -> int:
        """The number of elements."""
        return sum(map(len, self.sequences))

    @property
    def per_group(self) -> int:
        """The number of sequences of a group, whole batches."""
        mean = max(1, self.elements // max(1, len(self.sequences)))
        return max(1, GROUP // (mean * self.layout.lanes)) * self.layout.lanes


def coded_examples(parts: Sequence[Examples], domain: Domain, network_length: int, lanes: int) -> Coded:
    """The sequences of examples, and how they are walked.

    parts: whatever the encoding made of the splits of a source, one after the other.
    domain: what the elements may be.
    network_length: the number of elements that the network reads at once.
    lanes: number of sequences side by side, fewer where there are fewer.
    """
    end = None
    context = None
    if parts[0].windows is None:
        rows, contexts = zip(*(_rows(part, domain) for part in parts), strict=True)
        sequences = [row for part in rows for row in part]
        context = None if contexts[0] is None else np.concatenate(contexts)
        window = stride = domain.length
    else:
        window, stride = parts[0].windows
        sequences = [np.asarray(x, dtype=np.float64) for part in parts for x in part.sequences()]
        if parts[0].is_stream:
            size = max(WINDOWS_OF_A_PIECE * window, min(-(-len(sequences[0]) // lanes), LONGEST_PIECE))
            sequences = [sequences[0][at : at + size] for at in range(0, len(sequences[0]), size)]
        elif domain.end is not None and not any((x == domain.end).any() for x in sequences):
            end = domain.end
            sequences = [np.append(x, end) for x in sequences]
    if window > network_length:
        raise InputError(f"the examples are read {window} elements at once, but the network reads {network_length}")
    longest = max(1, *map(len, sequences)) if sequences else 1
    real = bool(domain.num_symbols is None)
    anchors = _anchors(sequences, domain) if real else ()
    layout = Layout(max(1, min(lanes, len(sequences))), window, stride, longest, end, real, anchors)
    told = end is None and any(len(x) != domain.length for x in sequences)
    return Coded(sequences, layout, context, told, parts[0].is_stream)


def _rows(examples: Examples, domain: Domain) -> tuple[list[Array], Array | None]:
    """The elements of examples of one length, and their contexts."""
    rows: list[Array] = []
    contexts: list[Array] = []
    for start in range(0, len(examples), 4096):
        batch = examples.batch(np.arange(start, min(start + 4096, len(examples))))
        if not bool(batch.mask.all()):
            raise InputError("examples some of whose elements are given cannot be coded; code them as they are")
        rows += list(_on_grid(batch.x.double().numpy(), domain))
        if batch.context is not None:
            contexts.append(batch.context.numpy())
    return rows, np.concatenate(contexts) if contexts else None


def _steps(domain: Domain) -> Array:
    """The step of the grid of each element, NaN for real numbers without one."""
    if not domain.columns:
        return np.full(domain.length, np.nan if domain.resolution is None else domain.resolution)
    free = [column.num_symbols is None and column.resolution is None and not column.count for column in domain.columns]
    steps = [column.resolution or 1.0 for column in domain.columns]
    return np.where(free, np.nan, steps)


def rows_off_grid(x: Array, domain: Domain) -> Array:
    """Which rows hold a number that is not a whole number of steps, or too many; columns without a step do not count.

    x: rows of elements, shape (N, D).
    domain: what the elements may be.
    """
    if domain.num_symbols is not None:
        return np.zeros(len(x), dtype=bool)
    steps = _steps(domain)
    known = ~np.isnan(steps)
    return np.asarray(not_on_grid(x[:, known].astype(np.float64), steps[known]).any(1))


def _on_grid(x: Array, domain: Domain) -> Array:
    """Rows of numbers exactly as they are decoded: whole multiples of their steps, and zero without a sign."""
    if domain.num_symbols is not None:
        return x
    steps = _steps(domain)
    steps = np.where(np.isnan(steps), 1.0, steps)
    whole = np.isfinite(_steps(domain)) & ~not_on_grid(x, steps)
    return np.asarray(np.where(whole, np.rint(x / steps) * steps, x) + 0.0)


def _anchors(sequences: list[Array], domain: Domain) -> tuple[Anchor, ...]:
    """Where the search for the number of each column begins: at the middle of what is coded."""
    if not sequences:
        return ()
    x, steps = np.stack(sequences), np.nan_to_num(_steps(domain), nan=1.0).tolist()
    columns = (column[np.isfinite(column)] / size for column, size in zip(x.T, steps, strict=True))
    return tuple(Anchor.of(np.rint(column)) for column in columns)


def element_groups(model: AutoregressiveModel, coded: Coded, advance: Callable[[int], Any]) -> list[Group]:
    """The groups of the elements, and after them those of what both sides have to be told.

    model: the chain.
    coded: what is coded.
    advance: called with the number of elements that were coded since the last call.
    """
    groups, walker = [], ready(model, coded.layout)
    for start in range(0, len(coded.sequences), coded.per_group):
        rows = slice(start, start + coded.per_group)
        part = coded.sequences[rows]
        context = None if coded.context is None else torch.from_numpy(coded.context[rows])
        code = encode_sequences(walker, coded.layout, part, context, advance)
        groups.append(Group.of(ELEMENTS, plain_elements(part), code))
    if coded.told:
        groups.append(side_group(numbers([len(x) for x in coded.sequences])))
    if coded.context is not None:
        buffer = BytesIO()
        np.save(buffer, coded.context, allow_pickle=False)
        groups.append(side_group(buffer.getvalue()))
    return groups


def plain_elements(sequences: list[Array]) -> bytes:
    """The bytes by which a group of elements is checked: float64, little-endian."""
    return b"".join(np.ascontiguousarray(x, dtype="<f8").tobytes() for x in sequences)
