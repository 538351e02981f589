"""N-grams that a network corrects: what counting knows needs not be learned again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chainrule.errors import InputError, unknown_name
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.dropout import Dropout
from chainrule.networks.last_symbols import LastSymbols
from chainrule.networks.ngram import NGram, OrderRows
from chainrule.networks.recall import Earlier, Recall
from chainrule.networks.recurrent import Recurrent
from chainrule.networks.state_space import StateSpace
from chainrule.networks.transformer import Transformer

__all__ = ["CorrectedNGram"]

INNER: Mapping[str, Callable[..., AutoregressiveNetwork]] = {
    "causal_conv": CausalConv,
    "recurrent": Recurrent,
    "state_space": StateSpace,
    "transformer": Transformer,
}
EVIDENCE = 5  # numbers that are known of the context of each order
LEAST = 1e-3  # weight of an order at the beginning


class Readout(nn.Module):
    """W s + b, zero at the beginning; a matrix of its own kind, which Muon leaves to AdamW."""

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(outputs, features))
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, s: Tensor) -> Tensor:
        return F.linear(s, self.weight, self.bias)


@dataclass
class CorrectedState:
    """The state of the inner network, the last symbols of each example, and all that are recalled, with theirs."""

    inner: Any
    before: Tensor
    history: Tensor
    past: Tensor


class CorrectedNGram(AutoregressiveNetwork):
    """h_d = a_d ln r_d + W s_d,  r_d = recall(sum_n w_{d,n} p_n(. | c_d)): n-grams and a network together.

    p_n are interpolated n-grams of several orders, s are the features of an inner network. The weights w, on the
    simplex, and the factor a are functions of s and of how often each context was seen, by how many symbols it was
    followed, and how sure each order is. What followed the last symbols earlier in the example is mixed in (`Recall`).
    At the beginning w are the weights of the n-grams alone, a = 1 and W = 0.

    In training each element is taken out of the counts before it is predicted (`left_out`), for otherwise the network
    learns to trust what was memorised.

    num_symbols: V, number of symbols.
    shape: layout of the longest example in elements.
    features: V; anything else is refused.
    network: name of the inner network: transformer, recurrent, state_space or causal_conv.
    width: size of its features.
    depth: number of its layers.
    heads: number of attention heads of a transformer.
    dropout: probability with which one of its features is dropped.
    orders: the n of the n-grams, from 2 on, without gaps.
    recall: lengths of the contexts that are looked for earlier in the example; none to look for none.
    hidden: number of units between the evidence and the weights.
    most: largest number of elements that are counted.

    >>> net = CorrectedNGram(num_symbols=9, shape=8, width=16, depth=1, heads=1)
    >>> net(torch.zeros(2, 8, dtype=torch.long)).shape
    torch.Size([2, 8, 9])
    """

    leaves_out = True
    sorts_contexts = True

    def __init__(
        self,
        num_symbols: int | None,
        shape: int | tuple[int, ...],
        features: int | None = None,
        *,
        network: str = "transformer",
        width: int = 128,
        depth: int = 4,
        heads: int = 4,
        dropout: float = 0.0,
        orders: Sequence[int] = (2, 3, 4, 5, 6, 7),
        recall: Sequence[int] = (3, 4, 5, 7),
        hidden: int = 64,
        most: int = 5_000_000,
    ) -> None:
        if num_symbols is None or features not in (None, num_symbols):
            raise InputError(f"n-grams are of symbols and have a feature for each, got {num_symbols} and {features}")
        if not orders or orders[0] != 2:
            raise InputError(f"the orders of n-grams that are corrected begin at 2, got {list(orders)}")
        if network not in INNER:
            raise unknown_name("inner network", network, INNER)
        super().__init__(shape, num_symbols)
        self.num_symbols = num_symbols
        self.ngrams = NGram(num_symbols, shape, orders=orders, most=most)
        more = {"heads": heads} if network == "transformer" else {}
        self.inner = INNER[network](num_symbols, shape, width, depth, dropout=dropout, **more)
        self.readout = Readout(width, num_symbols)
        self.recall = Recall(recall, num_symbols, self.length) if recall else None
        self.last = LastSymbols(max(self.ngrams.order - 1, *recall, 1), num_symbols)
        self.evidence = nn.Linear(EVIDENCE * len(orders) + len(recall) + width, hidden)
        self.weights = Readout(hidden, len(orders) + 1 + len(recall))
        self.dropout = Dropout(dropout)

    @property
    def fitted_first(self) -> AutoregressiveNetwork:
        return self.ngrams

    @property
    def symbols_read(self) -> int:
        return self.num_symbols

    @property
    def receptive_field(self) -> int:
        within = self.ngrams.receptive_field if self.recall is None else self.length - 1
        return max(self.inner.receptive_field, within)

    @property
    def carries_state(self) -> bool:
        return self.inner.carries_state

    @property
    def kinds(self) -> int:
        return self.ngrams.kinds

    @property
    def kind_reads(self) -> int:
        return self.ngrams.kind_reads

    def kind(self, before: Tensor) -> Tensor:
        return self.ngrams.kind(before)

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        below = self.inner.layers(x, context)
        return [*below[:-1], self._logits(below[-1], *self._read(x, None))]

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return self._logits(self.inner(x, context), *self._read(x, None))

    def packed(self, x: Tensor, segment_ids: Tensor) -> Tensor:
        return self._logits(self.inner.packed(x, segment_ids), *self._read(x, segment_ids))

    def left_out(self, x: Tensor, segment_ids: Tensor | None = None) -> Tensor:
        s = self.inner(x) if segment_ids is None else self.inner.packed(x, segment_ids)
        return self._logits(s, *self._read(x, segment_ids), x)

    def _read(self, x: Tensor, segment_ids: Tensor | None) -> tuple[Tensor, Earlier | None]:
        """The last symbols before each element, and the earlier places with the same context."""
        self.ngrams.check(x)
        before = self.last.of(x, segment_ids)
        return before, None if self.recall is None else self.recall.earlier(x, before, segment_ids)

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> CorrectedState:
        inner = self.inner.initial_state(batch_size, context)
        before = self.last.none(batch_size, self.readout.bias.device)
        history = before[:, :1].expand(-1, self.length if self.recall else 0)
        return CorrectedState(inner, before, history, history.unsqueeze(-1).expand(-1, -1, self.last.count))

    def step(self, x_previous: Tensor | None, state: CorrectedState) -> tuple[Tensor, CorrectedState]:
        s, state.inner = self.inner.step(x_previous, state.inner)
        if self.recall is not None and x_previous is not None:
            state.history = torch.cat([state.history[:, 1:], x_previous.long().unsqueeze(1)], 1)
            state.past = torch.cat([state.past[:, 1:], state.before.unsqueeze(1)], 1)
        state.before = self.last.after(x_previous, state.before)
        earlier = None if self.recall is None else self.recall.of_last(state.history, state.past, state.before)
        return self._logits(s, state.before, earlier), state

    def _logits(self, s: Tensor, before: Tensor, earlier: Earlier | None, target: Tensor | None = None) -> Tensor:
        """The logits from features (..., H) and the last symbols (..., order - 1).

        earlier: earlier places with the same context.
        target: the elements themselves, where they are left out of the counts, (...).
        """
        with torch.no_grad():
            rows = self.ngrams.rows(
                self.ngrams.nodes(before[..., : self.ngrams.order - 1].flatten(0, -2)),
                target,
            )
            each = torch.stack(self.ngrams.of_orders(rows), 1)
            counts: list[Tensor] = []
            if self.recall is not None and earlier is not None:
                counts = self.recall.counts(earlier, self.ngrams.symbols.place, (each.shape[0], each.shape[2]))
            known = torch.cat([self._known(rows, each), *(count.sum(1, keepdim=True).log1p() for count in counts)], 1)
            usual = self.ngrams.weight[self.ngrams.bucket(rows)].clamp(min=LEAST).log().to(s.dtype)
        flat = s.flatten(0, -2)
        z = self.weights(torch.tanh(self.evidence(torch.cat([known, flat], 1))))
        orders = each.shape[1]
        mixed = ((usual + z[:, :orders]).softmax(1).unsqueeze(1) @ each).squeeze(1)
        if self.recall is not None:
            mixed = self.recall(counts, mixed, z[:, orders + 1 :])
        mixed = self.ngrams.symbols.expanded(mixed).log()
        logits = self.readout(self.dropout(flat)) + (1 + z[:, orders : orders + 1]) * mixed
        return logits.view(*s.shape[:-1], self.num_symbols)

    def _known(self, rows: OrderRows, each: Tensor) -> Tensor:
        """What is known of the contexts of each order, shape (T, EVIDENCE * orders)."""
        columns = []
        for found, p in zip(rows.counted, each.unbind(1), strict=True):
            seen, kinds = (found.spread(value, len(p)).to(p) for value in (found.seen, found.kinds))
            columns += [(seen > 0).to(p), seen.log1p() / 3, kinds.log1p() / 3, kinds / seen.clamp(min=1), p.amax(1)]
        return torch.stack(columns, 1)
