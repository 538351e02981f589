"""N-grams: how often each symbol followed the last few, in several orders at once. Counted, not trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from chainrule.errors import InputError
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.last_symbols import LastSymbols
from chainrule.networks.ngram_counts import Followers, Found, find
from chainrule.networks.seen_symbols import SeenSymbols

__all__ = ["NGram"]

SEEN = 3  # classes of how often a context was seen: once, twice, more often


@dataclass
class OrderRows:
    """The rows of counts after T contexts, of each order, and of the shorter contexts by kinds of what stood before.

    contexts: T.
    """

    contexts: int
    counted: list[Found]
    continued: list[Found]


@dataclass
class NGramState:
    """The last symbols of each example, the nearest first, V where there is none, shape (B, order - 1)."""

    before: Tensor


class NGram(AutoregressiveNetwork):
    """h_d = ln sum over the orders n of w_n(c) p_n(. | c), c the symbols before x_d: interpolated Kneser-Ney n-grams.

        p_n(x | c) = max(N(c x) - D, 0) / N(c) + sum_y D / N(c) q_{n-1}(x | c without its oldest symbol)

    N counts, the sum is over the symbols y that followed c, and q is the same with the number of different symbols
    before c in place of counts, down to a uniform distribution. The discount D depends on the count: that of a count of
    one, of two, of three or more. Where c was not seen, p_n is q_{n-1}. The weights w are those that
    are best on validation data, by how long the longest context is that was seen, and how often it was.

    num_symbols: V, number of symbols.
    shape: layout of an example in elements.
    features: V; anything else is refused.
    orders: the n of the n-grams that are averaged, the symbol itself included.
    most: largest number of elements that are counted.

    Papers: Kneser, Ney, *Improved backing-off for m-gram language modeling*, 1995; Chen, Goodman, *An empirical study
    of smoothing techniques for language modeling*, 1999.

    >>> NGram(num_symbols=3, shape=6)(torch.zeros(5, 6, dtype=torch.long)).exp()[0, 0]
    tensor([0.3333, 0.3333, 0.3333])
    """

    fitted_by_gradients = False
    sorts_contexts = True

    weight: Tensor

    def __init__(
        self,
        num_symbols: int | None,
        shape: int | tuple[int, ...],
        features: int | None = None,
        *,
        orders: Sequence[int] = (2, 3, 4, 5, 6, 8),
        most: int = 5_000_000,
    ) -> None:
        if num_symbols is None or features not in (None, num_symbols):
            raise InputError(f"n-grams are of symbols and have a feature for each, got {num_symbols} and {features}")
        if not orders or min(orders) < 1 or sorted(set(orders)) != list(orders):
            raise InputError(f"the orders of n-grams rise from 1 or more, got {list(orders)}")
        super().__init__(shape, num_symbols)
        self.num_symbols, self.orders, self.most = num_symbols, tuple(orders), most
        self.order = self.orders[-1]
        self.last = LastSymbols(self.order - 1, num_symbols)
        for k in range(self.order):
            self.register_buffer(f"contexts_{k}", torch.zeros(int(k == 0), dtype=torch.int64))
        self.continued: Sequence[Followers] = nn.ModuleList(  # type: ignore[assignment]
            Followers() for _ in range(self.order - 1)
        )
        self.counted: Sequence[Followers] = nn.ModuleList(Followers() for _ in self.orders)  # type: ignore[assignment]
        even = torch.full((self.order * SEEN, len(self.orders)), 1 / len(self.orders), dtype=torch.float64)
        self.register_buffer("weight", even)
        self.symbols = SeenSymbols(num_symbols)

    @property
    def symbols_read(self) -> int:
        return self.num_symbols

    @property
    def receptive_field(self) -> int:
        return min(self.order - 1, self.length - 1)

    @property
    def carries_state(self) -> bool:
        return len(self.shape) == 1

    @property
    def kinds(self) -> int:
        return self.order * SEEN

    @property
    def kind_reads(self) -> int:
        return self.order - 1

    def kind(self, before: Tensor) -> Tensor:
        """The length of the longest context that was seen, and how often it was."""
        return self.bucket(self.rows(self.nodes(before)))

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        """The features alone, (B, D, V)."""
        self.check(x, context)
        return [self._log_average(self.before(x, None).flatten(0, 1)).view(*x.shape, self.num_symbols)]

    def packed(self, x: Tensor, segment_ids: Tensor) -> Tensor:
        return self._log_average(self.before(x, segment_ids).flatten(0, 1)).view(*x.shape, self.num_symbols)

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> NGramState:
        before = self.last.none(batch_size, self.weight.device)
        self.check(before[:, :0], context)
        return NGramState(before)

    def step(self, x_previous: Tensor | None, state: NGramState) -> tuple[Tensor, NGramState]:
        state.before = self.last.after(x_previous, state.before)
        return self._log_average(state.before), state

    def nodes(self, before: Tensor) -> list[Tensor]:
        """The node of every context (T, order - 1) by its length 0, 1, ..., -1 where it was not seen, each (T,)."""
        found = [torch.zeros(len(before), dtype=torch.int64, device=before.device)]
        for k in range(1, self.order):
            keys = self.get_buffer(f"contexts_{k}")
            wanted = found[-1] * (self.num_symbols + 1) + before[:, k - 1]
            found.append(torch.where(found[-1] < 0, -1, find(keys, wanted)))
        if not len(self.counted[0].offset):  # nothing has been counted
            return [torch.full_like(node, -1) for node in found]
        return found

    def before(self, x: Tensor, segment_ids: Tensor | None) -> Tensor:
        """The last symbols before each element, checked, shape (B, D, order - 1)."""
        self.check(x)
        return self.last.of(x, segment_ids)

    def bucket(self, rows: OrderRows) -> Tensor:
        """The row of `weight` for each context: its longest known part, and how often that was seen."""
        longest = torch.zeros(rows.contexts, dtype=torch.int64, device=self.weight.device)
        often = torch.full_like(longest, SEEN)  # of the empty context
        for n, found in zip(self.orders, rows.counted, strict=True):
            if n > 1:
                seen = found.spread(found.seen, rows.contexts)
                longest = torch.where(seen > 0, n - 1, longest)
                often = torch.where(seen > 0, seen, often)
        return longest * SEEN + often.clamp(max=SEEN) - 1

    def rows(self, nodes: Sequence[Tensor], target: Tensor | None = None) -> OrderRows:
        """The rows of counts after contexts.

        nodes: those of the contexts by their lengths, see `nodes`.
        target: the symbols that followed them in the training data, without which the counts are wanted, rows (B, D)
            with B D = T; None to take out nothing. The orders must then be consecutive. The counts after the empty
            context are large, and stay as they are.
        """
        contexts, nodes = len(nodes[0]), [nodes[0][:1], *nodes[1:]]  # all have the same empty context
        counted = [each.found(nodes[n - 1]) for n, each in zip(self.orders, self.counted, strict=True)]
        continued = [each.found(node) for each, node in zip(self.continued, nodes[:-1], strict=True)]
        found = OrderRows(contexts, counted, continued)
        return found if target is None else self._without(found, target)

    def _without(self, rows: OrderRows, target: Tensor) -> OrderRows:
        """The rows without the target itself, and without what only its part of the training data knows.

        A symbol that always followed in the block of the text in which the target stands is not known elsewhere: a name
        in a scene, say. A new text will not be known in that way, either.
        """
        if self.orders != tuple(range(2, self.order + 1)):
            raise InputError(f"orders from 2 on, without gaps, can leave out what they counted, got {self.orders}")
        flat, contexts = target.flatten().long(), rows.contexts
        own = [found.own(flat) for found in rows.counted]
        counts = [found.of_own(o, found.count, 0, contexts) for found, o in zip(rows.counted, own, strict=True)]
        block = torch.full_like(flat, -1)
        if len(last := rows.counted[-1].block):
            alone = rows.counted[-1].of_own(own[-1], last, -1, contexts).double()
            usual = torch.where(alone < 0, torch.nan, alone).view_as(target).nanmedian(1, keepdim=True).values
            block = torch.where(alone < 0, usual.expand_as(target).flatten().nan_to_num(-1), alone).long()
        once = torch.ones_like(flat)
        return OrderRows(
            contexts,
            [found.without(o, once, block) for found, o in zip(rows.counted, own, strict=True)],
            rows.continued[:1]
            + [
                found.without(found.own(flat), (counts[k + 1] == 1).long(), block)
                for k, found in enumerate(rows.continued[1:])
            ],
        )

    def of_orders(self, rows: OrderRows) -> list[Tensor]:
        """p_n over the places of `symbols` for each order, shape (T, S + 1) each."""
        lower, place = self.symbols.uniform().unsqueeze(0), self.symbols.place
        each = []
        for k in range(self.order):
            if k + 1 in self.orders:
                n = self.orders.index(k + 1)
                each.append(self.counted[n](rows.counted[n], lower, place).expand(rows.contexts, -1))
            if k < self.order - 1:
                lower = self.continued[k](rows.continued[k], lower, place).expand(rows.contexts, -1)
        return each

    def _log_average(self, before: Tensor) -> Tensor:
        rows = self.rows(self.nodes(before))
        weight = self.weight[self.bucket(rows)].to(self.symbols.share.dtype)
        each = self.of_orders(rows)
        total = torch.zeros_like(each[0])
        for n, p in enumerate(each):
            total.addcmul_(weight[:, n : n + 1], p)
        return self.symbols.expanded(total).log()

    def check(self, x: Tensor, context: Tensor | None = None) -> None:
        """Refuse what are no symbols of these n-grams."""
        if context is not None:
            raise InputError("n-grams take no context; take another network, or leave out --given")
        if x.is_floating_point():
            raise InputError(f"n-grams read symbols as integers, got {x.dtype}")
        if x.numel() and not 0 <= int(x.min()) <= int(x.max()) < self.num_symbols:
            raise InputError(
                f"symbols run from {int(x.min())} to {int(x.max())}, but n-grams are of 0 to {self.num_symbols - 1}"
            )

    def _load_from_state_dict(self, state_dict: Mapping[str, Any], prefix: str, *rest: Any) -> None:
        for k in range(self.order):  # the number of contexts is known from the file alone
            if (saved := state_dict.get(f"{prefix}contexts_{k}")) is not None:
                self.register_buffer(f"contexts_{k}", torch.zeros_like(saved, device=self.weight.device))
        super()._load_from_state_dict(state_dict, prefix, *rest)
        counts = (state_dict.get(f"{prefix}{name}.symbol") for name in ("continued.0", "counted.0"))
        if (first := next((symbols for symbols in counts if symbols is not None), None)) is not None:
            self.symbols.see(first.unique())
