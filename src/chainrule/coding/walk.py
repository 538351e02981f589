"""Sequences of elements to a code and back: both sides walk the chain by the same step, at the same batch shape.

Sequences are coded side by side in lanes; the last lanes are padded. A sequence that is longer than a window is walked
window by window: the first window codes all of its elements, each later one moves on by the stride, is given what it
shares with those before and codes the rest. So the last bits of the model's numbers, which depend on the shape of a
batch and on how it was walked, are the same on both sides, and nothing else has to be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chainrule.batch import Array
from chainrule.coding.elements import Anchor, Coder, Reader, Writer, code_element
from chainrule.coding.portable_chain import PortableChain
from chainrule.coding.range_coder import decoder, encoder, words_of
from chainrule.errors import DamagedArchive, InputError
from chainrule.heads.base import Distribution
from chainrule.models.chain import AutoregressiveModel

__all__ = ["Layout", "decode_sequences", "encode_sequences", "layout_from_json", "ready", "walk_once"]

Advance = Callable[[int], Any]
MOST_LANES = 1 << 16


@dataclass(frozen=True)
class Layout:
    """How sequences are walked; the same on both sides.

    lanes: number of sequences side by side, the batch shape.
    window: elements that the network reads at once.
    stride: elements that a window moves on by.
    longest: elements of the longest sequence.
    end: the symbol that ends a sequence and is coded; None where lengths are known.
    real: whether elements are numbers, of which NaN is a missing one; otherwise symbols.
    anchors: where the search for a number begins, for each element of a row; empty for symbols.
    portable: whether distributions are computed by portable arithmetic, see `PortableChain`.
    """

    lanes: int
    window: int
    stride: int
    longest: int
    end: int | None = None
    real: bool = False
    anchors: tuple[Anchor, ...] = ()
    portable: bool = False

    def anchor(self, d: int) -> Anchor:
        """The anchor of element d."""
        return self.anchors[d % len(self.anchors)] if self.anchors else Anchor()

    def to_json(self) -> dict[str, Any]:
        """The layout as JSON, for the header."""
        return asdict(self) | {"anchors": [[anchor.middle, anchor.width] for anchor in self.anchors]}


def layout_from_json(fields: dict[str, Any], longest_window: int) -> Layout:
    """The layout that `to_json` wrote; raises DamagedArchive for one that cannot be.

    fields: what the header holds.
    longest_window: the number of elements that the network can read at once.
    """
    try:
        anchors = tuple(Anchor(int(middle), int(width)) for middle, width in fields["anchors"])
        layout = Layout(**(fields | {"anchors": anchors}))
        sizes = (layout.lanes, layout.window, layout.stride, layout.longest)
        sound = all(type(size) is int and size >= 1 for size in sizes) and layout.lanes <= MOST_LANES
        sound = sound and layout.stride <= layout.window <= longest_window and layout.longest < 1 << 40
        sound = sound and all(1 <= a.width <= 1 << 53 and abs(a.middle) <= 1 << 53 for a in anchors)
        sound = sound and type(layout.real) is type(layout.portable) is bool
        sound = sound and (layout.end is None or type(layout.end) is int)
    except (TypeError, KeyError, ValueError, OverflowError):
        sound = False
    if not sound:
        raise DamagedArchive("the header says no way to walk a sequence; the archive is damaged, fetch it again")
    return layout


@dataclass(frozen=True)
class Walker:
    """The walk of a chain, ready for any number of codes, and the device of its numbers."""

    walk: Callable[..., Tensor]
    device: torch.device


def ready(model: AutoregressiveModel | Walker, layout: Layout) -> Walker:
    """The walk of a chain by a layout, for which portable networks round their weights once.

    model: the chain; one that is ready is returned as it is.
    layout: how it is walked.
    """
    if isinstance(model, Walker):
        return model
    if layout.portable:
        return Walker(PortableChain(model).unroll, torch.device("cpu"))
    return Walker(model.unroll, model.device)


def encode_sequences(
    model: AutoregressiveModel | Walker,
    layout: Layout,
    sequences: list[Array],
    context: Tensor | None = None,
    advance: Advance = lambda n: None,
) -> bytes:
    """The code of sequences, whole 32-bit words.

    model: the chain, see `ready`.
    layout: how it is walked.
    sequences: elements of each sequence, shape (T,), with the end where there is one.
    context: what each sequence is conditioned on, shape (N, ...).
    advance: called with the number of elements that were coded since the last call.
    """
    walker, coder = ready(model, layout), encoder()
    for start in range(0, len(sequences), layout.lanes):
        lanes = _Lanes(layout, sequences[start : start + layout.lanes], [])
        _walk(walker, layout, Writer(coder), lanes, _part(context, start, layout.lanes), advance)
    return coder.words().astype("<u4").tobytes()


def decode_sequences(
    model: AutoregressiveModel | Walker,
    layout: Layout,
    code: bytes,
    lengths: list[int | None],
    context: Tensor | None = None,
    advance: Advance = lambda n: None,
) -> list[Array]:
    """The sequences of a code, float64 each.

    model, layout, context, advance: as in `encode_sequences`.
    code: its result.
    lengths: number of elements of each sequence; None where it is coded by its end.
    """
    walker, coder = ready(model, layout), decoder(words_of(code))
    found: list[Array] = []
    for start in range(0, len(lengths), layout.lanes):
        lanes = _Lanes(layout, [], lengths[start : start + layout.lanes])
        _walk(walker, layout, Reader(coder), lanes, _part(context, start, layout.lanes), advance)
        found += lanes.sequences()
    return found


def walk_once(model: AutoregressiveModel, layout: Layout, coder: Coder, context: Tensor | None) -> None:
    """Walk all lanes along sequences that the coder gives, each of the longest length.

    model, layout: as in `encode_sequences`.
    coder: gives the symbols.
    context: contexts of the first sequences, None for p(x).
    """
    lanes = _Lanes(layout, [], [layout.longest] * layout.lanes)
    _walk(ready(model, layout), layout, coder, lanes, _part(context, 0, layout.lanes), lambda n: None)


def _part(context: Tensor | None, start: int, lanes: int) -> Tensor | None:
    """The contexts of some lanes, the last one repeated for those that are padding."""
    if context is None:
        return None
    rows = torch.arange(start, start + lanes).clamp(max=len(context) - 1)
    return context[rows]


class _Lanes:
    """Sequences side by side: what is known of them, and where each ends.

    On the side that writes everything is known; on the side that reads, what was coded so far.
    """

    def __init__(self, layout: Layout, known: list[Array], lengths: list[int | None]) -> None:
        self.layout, self.writes = layout, bool(known)
        self.count = len(known) or len(lengths)
        longest = max((len(x) for x in known), default=0) if known else self._room(lengths)
        self.x = np.zeros((layout.lanes, longest))
        for lane, x in enumerate(known):
            self.x[lane, : len(x)] = x
        told = [len(x) for x in known] if known else [layout.longest if n is None else n for n in lengths]
        self.length = np.zeros(layout.lanes, dtype=np.int64)
        self.length[: self.count] = told
        self.by_end = not known and any(n is None for n in lengths)
        self.shortest = int(self.length.min())
        if self.length.max() > layout.longest:
            raise InputError(f"a sequence has {self.length.max()} elements, the layout says {layout.longest} at most")

    def _room(self, lengths: list[int | None]) -> int:
        told = max(self.layout.longest if n is None else n for n in lengths)
        return min(told, 4 * self.layout.window) if any(n is None for n in lengths) else told

    def active(self, place: int) -> Array:
        """The lanes that have an element at a place."""
        return np.asarray(place < self.length)

    def count_active(self, place: int) -> int:
        """The number of these lanes."""
        return self.layout.lanes if place < self.shortest else int(np.count_nonzero(place < self.length))

    def known(self, place: int) -> Array | None:
        """The elements at a place, on the side that writes."""
        return self.x[:, place] if self.writes else None

    def put(self, place: int, values: Array, active: Array | None) -> None:
        """Take the elements at a place; a lane whose end this is has no more."""
        if self.writes:
            return
        if place >= self.x.shape[1]:
            self.x = np.pad(self.x, ((0, 0), (0, self.x.shape[1])))
        self.x[:, place] = values
        if self.by_end:
            ended = values == self.layout.end
            self.length[ended if active is None else active & ended] = place + 1
            self.shortest = int(self.length.min())

    def sequences(self) -> list[Array]:
        """What was read, the padding left out."""
        if self.by_end:
            last = self.x[np.arange(self.count), np.maximum(self.length[: self.count] - 1, 0)]
            if (last != self.layout.end).any():
                raise DamagedArchive("a sequence does not end; the archive is damaged, fetch it again")
        return [x[:n] for x, n in zip(self.x[: self.count], self.length[: self.count].tolist(), strict=True)]


def _walk(
    walker: Walker,
    layout: Layout,
    coder: Coder,
    lanes: _Lanes,
    context: Tensor | None,
    advance: Advance,
) -> None:
    """Code the elements of all lanes, window by window."""
    dtype, device = (torch.float64 if layout.real else torch.long), walker.device
    begin, scored = 0, 0
    while lanes.count_active(scored):
        stop = begin + layout.window

        def draw(d: int, p: Distribution, begin: int = begin, scored: int = scored) -> Tensor:
            place = begin + d
            count = lanes.count_active(place)
            if not count:
                raise StopIteration
            active = None if count == layout.lanes else lanes.active(place)
            if place < scored:
                values = lanes.x[:, place] if active is None else np.where(active, lanes.x[:, place], 0.0)
            else:
                values = code_element(coder, p, lanes.known(place), active, layout.anchor(place))
                lanes.put(place, values, active)
                advance(count)
            return torch.from_numpy(values).to(device=device, dtype=dtype)

        walker.walk(draw, layout.lanes, layout.window, None if context is None else context.to(device))
        begin, scored = begin + layout.stride, stop
