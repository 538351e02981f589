"""A state-space network: linear recurrences with gates, trained in parallel, at a constant cost per step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from chainrule.errors import InputError
from chainrule.networks.base import AutoregressiveNetwork
from chainrule.networks.dropout import Dropout
from chainrule.networks.embedding import ElementEmbedding
from chainrule.networks.linear_scan import linear_scan

__all__ = ["StateSpace"]

TAPS = 4  # elements that the short convolution reads
SLOWEST, FASTEST = 0.999, 0.9  # decay of a state by one element at the beginning, while its gate is open
SHARPNESS = 8.0


class LinearRecurrence(nn.Module):
    """y = W_out (s * silu(g)),  s_d = a_d s_{d-1} + sqrt(1 - a_d^2) v_d,  a_d = exp(-8 softplus(L) sigmoid(r_d)).

    v, g and r are linear in the input; v is a convolution of its last four values. The gate r says how much of the past
    is forgotten.
    """

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.into = nn.Linear(width, 3 * size, bias=False)
        self.out = nn.Linear(size, width, bias=False)
        self.taps = nn.Parameter(torch.zeros(TAPS, size))
        decay = torch.linspace(FASTEST, SLOWEST, size)
        self.decay = nn.Parameter((-decay.log() * 2 / SHARPNESS).expm1().log())
        nn.init.zeros_(self.out.weight)
        with torch.no_grad():
            self.taps[0] = 1.0

    def forward(self, x: Tensor, place: Tensor | None = None) -> Tensor:
        """The output for (B, D, width). place: of each element in its example, (B, D), where rows are packed."""
        v, g, r = self.into(x).transpose(0, 1).split(self.size, -1)
        length = len(v)
        padded = F.pad(v, (0, 0, 0, 0, TAPS - 1, 0))
        total = v * self.taps[0]
        for k in range(1, TAPS):
            earlier = padded[TAPS - 1 - k : TAPS - 1 - k + length] * self.taps[k]
            total = total + (earlier if place is None else earlier * (k <= place.T).unsqueeze(-1))
        a, b = self._rates(r, total)
        s = linear_scan(a if place is None else a * (place.T > 0).unsqueeze(-1), b)
        return self.out((s * F.silu(g)).transpose(0, 1))

    def _rates(self, r: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """a and sqrt(1 - a^2) v."""
        log_a = -SHARPNESS * F.softplus(self.decay) * r.sigmoid()
        return log_a.exp(), (-torch.expm1(2 * log_a)).clamp(min=1e-12).sqrt() * v

    def cache(self, batch_size: int) -> list[Tensor]:
        """The last values of v, the nearest last, and the state."""
        return [self.taps.new_zeros(batch_size, TAPS - 1, self.size), self.taps.new_zeros(batch_size, self.size)]

    def step(self, x: Tensor, past: Tensor, state: Tensor) -> Tensor:
        """The output for one element, (B, width); moves the caches on in place."""
        v, g, r = self.into(x).split(self.size, -1)
        window = torch.cat([past, v.unsqueeze(1)], 1)
        a, b = self._rates(r, (window * self.taps.flip(0)).sum(1))
        past.copy_(window[:, 1:])
        state.copy_(a * state + b)
        return self.out(state * F.silu(g))


class StateSpaceBlock(nn.Module):
    """x + recurrence(norm(x)), then x + feed-forward(norm(x)), with W_2 relu(W_1 x)^2."""

    def __init__(self, width: int, size: int, expansion: int, dropout: float) -> None:
        super().__init__()
        self.recurrence_norm, self.feed_forward_norm = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.recurrence = LinearRecurrence(width, size)
        self.into = nn.Linear(width, expansion * width, bias=False)
        self.out = nn.Linear(expansion * width, width, bias=False)
        self.dropout = Dropout(dropout)
        nn.init.zeros_(self.out.weight)

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.out(self.dropout(F.relu(self.into(self.feed_forward_norm(x))).square()))

    def forward(self, x: Tensor, place: Tensor | None = None) -> Tensor:
        x = x + self.dropout(self.recurrence(self.recurrence_norm(x), place))
        return x + self.dropout(self._feed_forward(x))

    def step(self, x: Tensor, past: Tensor, state: Tensor) -> Tensor:
        x = x + self.recurrence.step(self.recurrence_norm(x), past, state)
        return x + self._feed_forward(x)


@dataclass
class StateSpaceState:
    """The position, the last values and the state of each block, and the embedding's background."""

    position: Tensor
    caches: list[Tensor]
    background: Tensor


class StateSpace(AutoregressiveNetwork):
    """A stack of gated linear recurrences; h_d sees every element before it through states of fixed size.

    The recurrence is linear, so that training needs no product of matrices from one element to the next, as a GRU does,
    and the cost does not grow with the square of the length, as that of attention does.

    num_symbols: V, number of symbols; None for real numbers.
    shape: layout of the longest example; an image's rows and columns enter as learned coordinates.
    width: H, size of the features.
    depth: number of blocks.
    size: number of states of a block, by default the width.
    expansion: factor by which the feed-forward layer is wider.
    dropout: probability with which a feature of hidden layers and residuals is dropped.
    ordinal: whether symbols are levels, so that their value is read as well.
    num_classes: number of classes of the context, for p(x | c).
    context_size: size of the vectors of the context, for p(x | c).

    Papers: De et al., *Griffin: mixing gated linear recurrences with local attention*, 2024; Gu, Dao, *Mamba*, 2023.

    >>> net = StateSpace(num_symbols=256, shape=32, width=16, depth=2)
    >>> net(torch.zeros(2, 32, dtype=torch.long)).shape
    torch.Size([2, 32, 16])
    """

    takes_levels = takes_context = True
    can_compile = True

    def __init__(
        self,
        num_symbols: int | None,
        shape: int | tuple[int, ...],
        width: int = 128,
        depth: int = 4,
        *,
        size: int | None = None,
        expansion: int = 4,
        dropout: float = 0.0,
        ordinal: bool = False,
        num_classes: int | None = None,
        context_size: int | None = None,
    ) -> None:
        super().__init__(shape, width)
        if min(width, depth, expansion, size or 1) < 1:
            raise InputError(f"width, depth, expansion and size start at 1, got {width}, {depth}, {expansion}, {size}")
        self.embedding = ElementEmbedding(
            num_symbols,
            self.shape,
            width,
            ordinal=ordinal,
            positions=len(self.shape) > 1,
            num_classes=num_classes,
            context_size=context_size,
        )
        self.blocks: Sequence[StateSpaceBlock] = nn.ModuleList(  # type: ignore[assignment]
            StateSpaceBlock(width, size or width, expansion, dropout) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width, bias=False)

    @property
    def carries_state(self) -> bool:
        return len(self.shape) == 1

    def layers(self, x: Tensor, context: Tensor | None = None) -> list[Tensor]:
        h = [self.embedding(x, context)]
        for block in self.blocks:
            h.append(block(h[-1]))
        return [*h[:-1], self.norm(h[-1])]

    def packed(self, x: Tensor, segment_ids: Tensor) -> Tensor:
        if self.embedding.axes:
            raise InputError("packing is for sequences, this network has learned coordinates; train without it")
        place = torch.arange(x.shape[1], device=x.device)
        starts = torch.ones_like(segment_ids, dtype=torch.bool)
        starts[:, 1:] = segment_ids[:, 1:] != segment_ids[:, :-1]
        place = place - torch.where(starts, place, 0).cummax(1).values
        h = torch.where(starts.unsqueeze(-1), self.embedding.start, self.embedding(x))
        for block in self.blocks:
            h = block(h, place)
        return self.norm(h)

    def initial_state(self, batch_size: int, context: Tensor | None = None) -> StateSpaceState:
        caches = [part for block in self.blocks for part in block.recurrence.cache(batch_size)]
        background = self.embedding.background(batch_size, context)
        return StateSpaceState(torch.zeros(1, dtype=torch.long, device=background.device), caches, background)

    def step(self, x_previous: Tensor | None, state: StateSpaceState) -> tuple[Tensor, StateSpaceState]:
        h = self.advance(x_previous, state.position, state.background, state.caches)
        state.position += 1
        return h, state

    def advance(self, x_previous: Tensor | None, position: Tensor, background: Tensor, caches: list[Tensor]) -> Tensor:
        h = self.embedding.step(x_previous, position, background, len(caches[0]))
        for number, block in enumerate(self.blocks):
            h = block.step(h, caches[2 * number], caches[2 * number + 1])
        return self.norm(h)
