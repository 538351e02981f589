"""The parts of a source as train, valid and test: as the source gives them, or divided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from chainrule.batch import Array, Rows
from chainrule.data.examples.distinct import say_distinct
from chainrule.data.examples.groups import Groups
from chainrule.data.examples.in_units import DISTINCT
from chainrule.data.examples.splits import (
    KEYED,
    SIXTH,
    SPLITS,
    WAYS,
    Split,
    parse_shares,
    refuse_empty,
    rows_in_order,
    split_by_content,
)
from chainrule.data.examples.stored import take
from chainrule.errors import InputError
from chainrule.likelihood import EXAMPLES

__all__ = ["Division", "Part", "check_same_shape", "divided", "three_parts"]

Part = tuple[Array, Array | None]  # examples, and their labels


@dataclass(frozen=True)
class Division:
    """Examples of train, valid and test.

    parts: the three of them; one that was not asked for is empty.
    how: one phrase that says how they came about.
    by_content: whether copies of an example are one example, as in a split by content.
    """

    parts: list[Any]
    how: str
    by_content: bool = False

    @property
    def unit(self) -> str:
        """What the unit of the standard error is, in the plural."""
        return DISTINCT if self.by_content else EXAMPLES


def divided(parts: Mapping[str, list[Any]], split: Split, content: Callable[[Any], bytes]) -> Division:
    """Lists of examples of train, valid and test, as given or by the split.

    parts: the lists by split; without "valid", a sixth of "train" becomes it. Or a single list.
    split: how a single list is divided; by content where it says "order" and a sixth of train is wanted.
    content: the bytes that identify an example.
    """
    if len(parts) > 1:
        lists, how = [parts.get(name, []) for name in SPLITS], "split as given"
        if "valid" not in parts:
            sixth = replace(split, way="distinct") if split.way == "order" else split
            rows = sixth.without_valid([content(x) for x in parts["train"]])
            lists[:2] = [[parts["train"][n] for n in part] for part in rows]
            how += f", valid is a sixth of train {WAYS[sixth.way]}" if lists[1] else ", without valid"
        division = Division(lists, how)
    else:
        (examples,) = parts.values()
        contents = [content(x) for x in examples]
        lists = [[examples[n] for n in rows] for rows in split.rows(contents)]
        by_content = split.way == "distinct"
        division = Division(lists, say_distinct(split.note, contents, by_content), by_content)
    return replace(division, how=f"{division.how}: {'/'.join(str(len(part)) for part in lists)}")


def three_parts(
    parts: Mapping[str, Part],
    split: Split,
    content: Callable[[Array], Array] = lambda x: x.reshape(len(x), prod(x.shape[1:])),
    groups: Mapping[str, Groups] | None = None,
) -> Division:
    """Examples and labels of train, valid and test from the parts of a source.

    parts: "train", "valid" and "test"; without "valid", a sixth of "train" becomes it: at random where the split is
        random or by group, else its last rows, or, where these are sorted by label, rows by a hash of their content. Or
        a single part, under any name.
    split: how a single part is divided.
    content: what identifies each example, shape (N, ...).
    groups: the groups of the examples of each part, where the split goes by group.
    """
    groups = groups or {}
    if len(parts) == 1:
        ((name, (x, y)),) = parts.items()
        by_content = split.way == "distinct"
        pieces = [_taken(x, y, rows) for rows in split.rows(content(x), groups.get(name))]
        return Division(pieces, say_distinct(split.note, content(x), by_content), by_content)
    x, y = parts["train"]
    test = parts.get("test", _taken(x, y, np.arange(0)))
    if "valid" in parts:
        return Division([parts["train"], parts["valid"], test], "split as given")
    by_label = y is not None and bool((y[:-1] <= y[1:]).all())
    if parse_shares(split.shares)[1] == 0:
        front, which = np.arange(len(x)), ""
    elif split.way in KEYED:
        front, which = split.without_valid(content(x), groups.get("train"))[0], f"a sixth of train {WAYS[split.way]}"
    elif by_label:
        front, which = split_by_content(content(x), SIXTH)[0], "a sixth of train by content"
    else:
        front, which = rows_in_order(len(x), SIXTH)[0], "the last sixth of train"
    back = np.setdiff1d(np.arange(len(x)), front)
    if which:
        refuse_empty([front, back, front], SIXTH, f"of {len(x)} examples shares of five sixths and one")
    how = f"split as given, valid is {which}" if which else "split as given, without valid"
    return Division([_taken(x, y, front), _taken(x, y, back), test], how)


def _taken(x: Array, y: Array | None, rows: Rows) -> Part:
    return take(x, rows), None if y is None else y[rows]


def check_same_shape(parts: Mapping[str, Part], source: str) -> None:
    """Refuse splits whose examples differ in shape."""
    shapes = {name: x.shape[1:] for name, (x, _) in parts.items()}
    if len(set(shapes.values())) > 1:
        told = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in shapes.items())
        raise InputError(f"{source}: the splits differ in shape ({told}); bring them to one shape")
