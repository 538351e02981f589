"""What an archive says about its sequences, and the sequences themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import torch
from torch import Tensor

from chainrule.batch import Array
from chainrule.coding.coded import GROUP, plain_elements
from chainrule.coding.groups import ELEMENTS, SIDE, Archive, Group
from chainrule.coding.side import side_plain
from chainrule.coding.walk import Layout, decode_sequences, layout_from_json, ready
from chainrule.coding.whole_numbers import read_numbers
from chainrule.domain import Domain
from chainrule.errors import DamagedArchive
from chainrule.models.chain import AutoregressiveModel

__all__ = ["Told", "decoded_groups", "told_of"]

OF_LENGTH = 10  # bytes that a number of 64 bits may have


@dataclass(frozen=True)
class Told:
    """What an archive says about its sequences.

    layout: how they are walked.
    count, per_group: how many there are, and of one group.
    lengths: elements of each; None where an end is coded.
    context: what each is conditioned on, None for p(x).
    rest: the side groups that follow.
    """

    layout: Layout
    count: int
    per_group: int
    lengths: list[int] | None
    context: Tensor | None
    rest: list[Group]


def told_of(archive: Archive, domain: Domain, network_length: int) -> Told:
    """What an archive says about its sequences, checked; raises DamagedArchive for what cannot be.

    archive: the archive.
    domain: what the elements of the model may be.
    network_length: the number of elements that the network reads at once.
    """
    header = archive.header
    layout = layout_from_json(header["layout"], network_length)
    count, per_group = header["sequences"], header["per_group"]
    groups, side = archive.of_kind(ELEMENTS), archive.of_kind(SIDE)
    fits = 1 <= per_group <= max(GROUP, layout.lanes) and count >= 0 and layout.lanes <= max(1, count)
    if not fits or len(groups) != -(-count // per_group):
        raise DamagedArchive("the header and the groups do not fit each other; the archive is damaged, fetch it again")
    lengths: list[int] | None = None
    if header["told"]:
        lengths, _ = read_numbers(side_plain(_next(side), OF_LENGTH * (1 + count)), 0)
    elif layout.end is None:
        if sum(group.plain_length for group in groups) != 8 * domain.length * count:
            raise DamagedArchive("the groups are not of so many examples; the archive is damaged, fetch it again")
        lengths = [domain.length] * count
    if lengths is not None and (len(lengths) != count or max(lengths, default=0) > layout.longest):
        raise DamagedArchive("the lengths do not fit the header; the archive is damaged, fetch it again")
    context = None
    if header["given"]:
        context = _context(side_plain(_next(side)), count)
    return Told(layout, count, per_group, lengths, context, side)


def _next(side: list[Group]) -> Group:
    if not side:
        raise DamagedArchive("a side group is missing; the archive is damaged, fetch it again")
    return side.pop(0)


def _context(content: bytes, count: int) -> Tensor:
    try:
        context = np.load(BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise DamagedArchive(f"the conditions cannot be read ({error}); the archive is damaged") from None
    if len(context) != count:
        raise DamagedArchive("the conditions are not as many as the examples; the archive is damaged, fetch it again")
    return torch.from_numpy(context)


def decoded_groups(
    model: AutoregressiveModel, archive: Archive, told: Told, rows: range, advance: Callable[[int], Any]
) -> list[Array]:
    """Some of the sequences; only the groups that hold them are decoded.

    model: the chain.
    archive: the archive.
    told: what it says about its sequences.
    rows: numbers of the sequences, one after the other.
    advance: called with the number of elements that were decoded since the last call.
    """
    found: list[Array] = []
    if not len(rows):
        return found
    walker = ready(model, told.layout)
    first = rows.start // told.per_group
    for number in range(first, (rows.stop - 1) // told.per_group + 1):
        group = archive.of_kind(ELEMENTS)[number]
        inside = range(number * told.per_group, min((number + 1) * told.per_group, told.count))
        lengths: list[int | None] = [None if told.lengths is None else told.lengths[n] for n in inside]
        context = None if told.context is None else told.context[inside.start : inside.stop]
        part = decode_sequences(walker, told.layout, group.code, lengths, context, _bounded(group, advance))
        group.check(plain_elements(part), "it is damaged, or the model computes other numbers here after all")
        found += part
    skipped = first * told.per_group
    return found[rows.start - skipped : rows.stop - skipped]


def _bounded(group: Group, advance: Callable[[int], Any]) -> Callable[[int], Any]:
    """As `advance`; raises DamagedArchive once there are more elements than the group says."""
    left = group.plain_length // 8

    def count(n: int) -> None:
        nonlocal left
        left -= n
        if left < 0:
            raise DamagedArchive("a group has more elements than it says; the archive is damaged, fetch it again")
        advance(n)

    return count
