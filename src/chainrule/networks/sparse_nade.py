"""NADE of rows in which little is unusual, at the cost of what is."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from chainrule.errors import InputError
from chainrule.networks.nade import NADE

__all__ = ["SparseNADE"]

LEAST_BLOCK, MOST_BLOCK = 8, 256  # elements that are read out by one product


class SparseNADE(NADE):
    """A `NADE` whose sum changes only where an element differs from the symbol that is usual there.

        u_d = c + sum of W_j (e(x_j) - e(o_j)) over j < d with x_j != o_j,   h_d = V_d relu(norm(u_d)) + b_d

    o_j is the most frequent symbol of element j in the data (see `initialise`). All elements between two unusual ones
    have the same sum, so that a row with n of them has n + 1 sums, and not D: norms, layers and activations are
    computed once for each. The readout takes a block of elements at a time, by one product with the sums that occur in
    it. Where much is unusual it computes every element's sum, as NADE does; the result is the same but for rounding,
    and in its last bits depends on the other rows of a batch.

    num_symbols: V, number of symbols.
    Everything else: as for `NADE`.

    >>> net = SparseNADE(num_symbols=2, shape=300, width=32)
    >>> net.initialise(torch.zeros(10, 300, dtype=torch.long))
    >>> net(torch.zeros(5, 300, dtype=torch.long)).shape
    torch.Size([5, 300, 1])
    """

    usual: Tensor
    least_saved = 4  # elements per sum of their own, on average, below which every element is given one

    def make_centre(self, element_width: int) -> None:
        if self.embedding.num_symbols is None:
            raise InputError("real numbers have no usual symbol; take NADE")
        self.register_buffer("usual", torch.zeros(self.length, dtype=torch.long))

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Take the most frequent symbol of every element from rows (N, D); of two the smaller."""
        self.embedding.initialise(x)
        self.usual.copy_(x.mode(0).values)

    def deviation(self, x: Tensor, here: slice | int) -> Tensor:
        return self.embedding.elements(x) - self.embedding.elements(self.usual[here])

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        if torch.compiler.is_compiling():
            return super().forward(x, context)
        self.check(x)
        changed = x[:, :-1] != self.usual[: x.shape[1] - 1]
        total = int(changed.sum())
        if self.least_saved * (total + len(x)) >= x.numel():  # also of no rows
            return super().forward(x, context)
        number = F.pad(changed.cumsum(1), (1, 0))  # of changes before an element, (B, D)
        count = number[:, -1] + 1  # of sums
        begin = count.cumsum(0) - count  # each example's first sum among all S of them
        example = torch.repeat_interleave(count)
        u = self._sums(x, changed, number, context)[
            example, torch.arange(len(example), device=x.device) - begin[example]
        ]
        a = self.active(self.residual(u, example)[-1], -1, example)
        block = min(MOST_BLOCK, max(LEAST_BLOCK, x.numel() // max(1, total)))
        return self._read_out(a, begin.unsqueeze(1) + number, block)

    def _sums(self, x: Tensor, changed: Tensor, number: Tensor, context: Tensor | None) -> Tensor:
        """u after each number of changes, shape (B, most + 1, width), in an example of fewer without meaning."""
        row, place = changed.nonzero(as_tuple=True)
        vector = self.embedding.elements(x[row, place]) - self.embedding.elements(self.usual[place])
        terms = torch.bmm(vector.unsqueeze(1), self.into[place]).squeeze(1)
        most = int(number[:, -1].max())
        begun = torch.cat([self.first(len(x), context).unsqueeze(1), terms.new_zeros(len(x), most, terms.shape[1])], 1)
        return begun.index_put((row, number[row, place] + 1), terms).cumsum(1)

    def _read_out(self, a: Tensor, sums: Tensor, block: int) -> Tensor:
        """h of all elements, (B, D, H).

        a: active units of the sums, (S, width).
        sums: the number of each element's sum, (B, D).
        block: how many elements are read out by one product.
        """
        found = []
        for begin in range(0, sums.shape[1], block):
            here = sums[:, begin : begin + block]
            there = slice(begin, begin + here.shape[1])
            occur = here[:, -1] - here[:, 0] + 1  # sums of each example that occur in the block
            first = occur.cumsum(0) - occur
            which = torch.repeat_interleave(here[:, 0] - first, occur) + torch.arange(int(occur.sum()), device=a.device)
            out = self.out[there].transpose(0, 1).flatten(1)
            h = (a[which] @ out).view(len(which), -1, self.features)  # (sums, block, H)
            place = first.unsqueeze(1) + here - here[:, :1]
            found.append(h[place, torch.arange(here.shape[1], device=a.device)] + self.bias[there])
        return torch.cat(found, 1)
