"""What is known about each element of a tree from those before it: sums over all others, by messages along edges."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.networks.tree_messages import neighbours_of, schedule_of

__all__ = ["TreeBelief", "TreeBeliefState"]

TINY = 1e-300


@dataclass
class TreeBeliefState:
    """What the elements so far say.

    known: the sum of ln p(x_j | x_d) over the known neighbours j of each element d, shape (D, B, G).
    messages: the newest message along each edge in each direction, shape (edges, B, G).
    """

    known: Tensor
    messages: Tensor


@dataclass(frozen=True)
class Work:
    """Messages that are computed at once.

    out: where they are kept.
    edge: the edge of each, shape (K,).
    known: where the sum over the known neighbours of its source stands, shape (K,).
    inputs: the messages that are added, shape (I,).
    owner: to which of the K each of them is added, shape (I,).
    """

    out: Tensor
    edge: Tensor
    known: Tensor
    inputs: Tensor
    owner: Tensor


class TreeBelief(nn.Module):
    """ln p(x_d | x_<d) of every element, up to a constant, under a tree of pairs.

    With pi_d the distribution of element d alone, a tree is prod_d pi_d(x_d) prod_(d, j) p(x_d, x_j) / (pi_d pi_j), so

        p(x_d | x_<d) = pi_d(x_d) prod_j m_j(x_d) / Z,    m_j(x_d) = sum_x_j p(x_j | x_d) prod_(k != d) m_k(x_j)

    over the neighbours j of d and k of j. Of a known neighbour, m_j(x_d) = p(x_j | x_d); where nothing behind j is
    known, it is 1.

    parent: number of the element that each depends on, its own for a root, shape (D,).
    log_table: ln p(x_d | x_parent(d)), shape (D, G, G).
    """

    log_alone: Tensor
    of_known: Tensor
    of_unknown: Tensor

    def __init__(self, parent: Tensor, log_table: Tensor) -> None:
        super().__init__()
        for name in ("log_alone", "of_known", "of_unknown"):
            self.register_buffer(name, None, persistent=False)
        self.take(parent, log_table)

    def take(self, parent: Tensor, log_table: Tensor) -> None:
        """Prepare for a tree."""
        parents, device = parent.tolist(), log_table.device
        table = log_table.cpu().double().exp()
        alone = _alone(parents, table)
        self.neighbours = neighbours_of(parents)
        self.lower = [(j, d) for d, beside in enumerate(self.neighbours) for j in beside if j < d]
        self.schedule = schedule_of(parents)
        self.edges = sorted({(m.source, m.target) for m in self.schedule.messages})
        self.log_alone = alone.clamp(min=TINY).log().to(device)
        self.of_known = _conditional(parents, table, alone, self.lower).clamp(min=TINY).log().to(device)
        self.of_unknown = _conditional(parents, table, alone, self.edges).to(device)
        self._index(device)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self._index(self.log_alone.device)
        return self

    def _index(self, device: torch.device) -> None:
        """The numbers by which everything is found."""

        def whole(numbers: Sequence[int]) -> Tensor:
            return torch.tensor(numbers, dtype=torch.long, device=device)

        below = [sum(j < d for j in beside) for d, beside in enumerate(self.neighbours)]
        first = _starts(below)
        ranks: list[list[tuple[int, int]]] = [[] for _ in range(max(below, default=0))]
        above: list[list[tuple[int, int]]] = [[] for _ in below]
        rank_of = [0] * len(below)
        for edge, (j, d) in enumerate(self.lower):
            ranks[rank_of[d]].append((first[d] + rank_of[d] + 1, edge))
            above[j].append((d, edge))
            rank_of[d] += 1
        self.sums = len(below) + len(self.lower)
        self.last_sum = whole([first[d] + below[d] for d in range(len(below))])
        self.seen = whole([j for j, _ in self.lower])
        self.ranks = [tuple(whole(side) for side in zip(*pairs, strict=True)) for pairs in ranks]
        self.above = [tuple(whole([pair[k] for pair in pairs]) for k in (0, 1)) for pairs in above]
        self._index_messages(whole, first)

    def _index_messages(self, whole: Callable[[Sequence[int]], Tensor], first: Sequence[int]) -> None:
        """Which messages are computed at once, for all elements and in each step."""
        messages, number = self.schedule.messages, {edge: k for k, edge in enumerate(self.edges)}
        slot = [number[m.source, m.target] for m in messages]

        def work(which: Sequence[int], out: Sequence[int], known: Sequence[int], name: Callable[[int], int]) -> Work:
            pairs = [(name(k), owner) for owner, m in enumerate(which) for k in messages[m].inputs]
            inputs, owners = (whole([pair[side] for pair in pairs]) for side in (0, 1))
            return Work(whole(out), whole([slot[m] for m in which]), whole(known), inputs, owners)

        def by_level(which: Sequence[int]) -> list[list[int]]:
            levels: dict[int, list[int]] = {}
            for m in which:
                levels.setdefault(messages[m].level, []).append(m)
            return [levels[level] for level in sorted(levels)]

        self.levels = [
            work(which, which, [first[messages[m].source] + messages[m].known for m in which], lambda k: k)
            for which in by_level(range(len(messages)))
        ]
        begins = self.schedule.begins
        self.steps = [
            [
                work(which, [slot[m] for m in which], [messages[m].source for m in which], slot.__getitem__)
                for which in by_level(range(begins[d], begins[d + 1]))
            ]
            for d in range(len(first))
        ]
        asked = [(k, d) for d, inputs in enumerate(self.schedule.inputs) for k in inputs]
        self.asked, self.asker = (whole([pair[side] for pair in asked]) for side in (0, 1))
        self.asked_slots = [whole([slot[k] for k in inputs]) for inputs in self.schedule.inputs]

    def forward(self, x: Tensor) -> Tensor:
        """ln p(x_d | x_<d) up to a constant, shape (B, D, G), from elements below G, shape (B, D)."""
        places = self.log_alone.shape[1]
        sums = self.log_alone.new_zeros(self.sums, len(x), places)
        if len(self.lower):
            edge = torch.arange(len(self.lower), device=x.device).unsqueeze(1)
            said = self.of_known[edge, x.T[self.seen]]
            for to, edges in self.ranks:
                sums[to] = sums[to - 1] + said[edges]
        messages = sums.new_zeros(len(self.schedule.messages), len(x), places)
        for work in self.levels:
            messages[work.out] = self._message(work, sums, messages)
        total = self.log_alone.unsqueeze(1) + sums[self.last_sum]
        return total.index_add_(0, self.asker, messages[self.asked]).transpose(0, 1)

    def initial_state(self, batch_size: int) -> TreeBeliefState:
        length, places = self.log_alone.shape
        return TreeBeliefState(
            self.log_alone.new_zeros(length, batch_size, places),
            self.log_alone.new_zeros(len(self.edges), batch_size, places),
        )

    def see(self, d: int, x: Tensor, state: TreeBeliefState) -> None:
        """Element d becomes known, shape (B,)."""
        to, edges = self.above[d]
        if len(to):
            state.known.index_add_(0, to, self.of_known[edges][:, x])

    def about(self, d: int, state: TreeBeliefState) -> Tensor:
        """ln p(x_d | x_<d) up to a constant, shape (B, G), where all elements before d are known."""
        for work in self.steps[d]:
            state.messages[work.out] = self._message(work, state.known, state.messages)
        return self.log_alone[d] + state.known[d] + state.messages[self.asked_slots[d]].sum(0)

    def _message(self, work: Work, sums: Tensor, messages: Tensor) -> Tensor:
        """New messages, shape (K, B, G), the largest entry of each 0."""
        about = sums[work.known]
        if len(work.inputs):
            about.index_add_(0, work.owner, messages[work.inputs])
        share = (about - about.amax(-1, keepdim=True)).exp()
        said = (share @ self.of_unknown[work.edge]).clamp(min=TINY).log()
        return said - said.amax(-1, keepdim=True)


def _starts(below: Sequence[int]) -> list[int]:
    """Where the sums of each element begin: one without any neighbour, and one for each lower neighbour."""
    starts = [0]
    for count in below[:-1]:
        starts.append(starts[-1] + count + 1)
    return starts


def _alone(parents: Sequence[int], table: Tensor) -> Tensor:
    """p(x_d) of each element, shape (D, G), from the tables p(x_d | x_parent(d))."""
    alone = torch.zeros(table.shape[:2], dtype=torch.float64)
    done = [False] * len(parents)
    for d in range(len(parents)):
        path = [d]
        while not done[path[-1]] and parents[path[-1]] != path[-1]:
            path.append(parents[path[-1]])
        for v in reversed(path):
            if not done[v]:
                alone[v] = table[v, :, 0] if parents[v] == v else table[v] @ alone[parents[v]]
                done[v] = True
    return alone


def _conditional(parents: Sequence[int], table: Tensor, alone: Tensor, edges: Sequence[tuple[int, int]]) -> Tensor:
    """p(x_u | x_v) for edges (u, v), shape (edges, G, G)."""
    found = table.new_empty(len(edges), *table.shape[1:])
    for k, (u, v) in enumerate(edges):
        if parents[u] == v:
            found[k] = table[u]
        else:
            both = table[v].T * alone[u].unsqueeze(1)
            total = both.sum(0)
            found[k] = torch.where(total > 0, both / total.clamp(min=TINY), 1 / len(total))
    return found
