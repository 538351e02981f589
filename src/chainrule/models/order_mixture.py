"""The mixture over orders: whole examples, in many orders of their elements.

    ln p(x) = logsumexp_o ln p_o(x) - ln O

A mixture of distributions is a distribution. Averaging anything inside the chain instead would show elements their own
future.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any, cast

import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.heads.finite import inverse_cdf
from chainrule.models.base import Model, Sample, evaluating
from chainrule.models.chain import AutoregressiveModel
from chainrule.models.permuted import PermutedModel, known_options, permutation, read_first
from chainrule.models.sampler import prefix_batch
from chainrule.networks.made import MADE
from chainrule.noise import uniforms

__all__ = ["OrderMixture"]


class OrderMixture(Model):
    """p(x) = 1/O sum_o p_o(x): the mean of the probabilities that O orders give to whole examples.

    models: one model per order; or a single one with a MADE, whose weights all orders share.
    orders: permutations of 0..D-1, shape (O, D).

    It is not an autoregressive model itself, because its conditionals are not those of one chain; but it is exact,
    normalised and easy to sample from: first an order, then an example.

    Papers: Uria, Murray, Larochelle, *A deep and tractable density estimator*, 2014; for the shared weights, Germain
    et al., *MADE*, 2015.

    >>> from chainrule import BernoulliHead
    >>> from chainrule.models.permuted import random_orders
    >>> model = AutoregressiveModel(MADE(2, 6, hidden=32), BernoulliHead(1))
    >>> mixture = OrderMixture(model, random_orders(6, 4)).eval()
    >>> mixture(torch.zeros(5, 6, dtype=torch.long)).shape, mixture.order_log_prob(torch.zeros(5, 6).long()).shape
    (torch.Size([5]), torch.Size([4, 5]))
    """

    has_conditionals = False
    orders: Tensor

    def __init__(self, models: AutoregressiveModel | Sequence[AutoregressiveModel], orders: Tensor) -> None:
        super().__init__()
        self.shared = isinstance(models, AutoregressiveModel)
        members = [models] if isinstance(models, AutoregressiveModel) else list(models)
        if orders.ndim != 2 or len(orders) < 1:
            raise InputError(f"orders are permutations in rows, shape (O, D), got {tuple(orders.shape)}")
        if not self.shared and len(members) != len(orders):
            raise InputError(f"{len(members)} models for {len(orders)} orders; give one for each, or one MADE for all")
        if self.shared and not isinstance(members[0].network, MADE):
            raise InputError(
                f"orders can share the weights of a MADE, not of a {type(members[0].network).__name__}; "
                "give a model for each order"
            )
        if self.shared and not members[0].head.elementwise:
            raise InputError(
                f"orders can share a head that is the same for every element, a {type(members[0].head).__name__} has a "
                "part for each; take another head, or give a model for each order"
            )
        self.models: Sequence[AutoregressiveModel] = nn.ModuleList(members)  # type: ignore[assignment]
        length = members[0].network.length
        self.register_buffer("orders", torch.stack([permutation(order, length) for order in orders]))

    @property
    def device(self) -> torch.device:
        """Where orders and parameters live."""
        return self.orders.device

    @property
    def length(self) -> int:
        return self.orders.shape[1]

    @property
    def num_symbols(self) -> int | None:
        return self.models[0].num_symbols

    @property
    def chains(self) -> tuple[AutoregressiveModel, ...]:
        """One per order, or the only one, whose weights all orders share."""
        return tuple(self.models)

    @property
    def permuted_chains(self) -> tuple[PermutedModel, ...]:
        return tuple(self.member(o) for o in range(len(self.orders)))

    def initialise(self, x: Tensor) -> None:
        """Start from data, rows (N, D) in the natural order, in which shared weights are read, too."""
        for model, order in zip(self.models, self.orders, strict=False):
            model.initialise(x if self.shared else x[:, order])

    def describe(self) -> str:
        return f"mixture over {len(self.orders)} orders"

    def refusal(self, wanted: str) -> InputError:
        return InputError(
            f"a mixture over {len(self.orders)} orders does not have {wanted}; "
            "take a model of one order (without --orders)"
        )

    def member(self, o: int) -> PermutedModel:
        """The model of one order."""
        if not self.shared:
            return PermutedModel(self.models[o], self.orders[o])
        network = cast(MADE, self.models[0].network).in_order(self.orders[o])
        return PermutedModel(AutoregressiveModel(network, self.models[0].head), self.orders[o])

    def order_log_prob(self, batch: Batch | Tensor) -> Tensor:
        """ln p_o(x) of every order, shape (O, B), nats."""
        return torch.stack([self.member(o).log_prob(batch) for o in range(len(self.orders))])

    def log_prob(self, batch: Batch | Tensor) -> Tensor:
        """logsumexp_o ln p_o(x) - ln O, shape (B,), nats."""
        return self.order_log_prob(batch).logsumexp(0) - log(len(self.orders))

    def forward(self, batch: Batch | Tensor) -> Tensor:
        """The log-probability itself; while training, that of one order, drawn anew for each batch.

        The expectation of the latter is a lower bound of the former (Jensen), at the cost of a single order.
        """
        if not self.training:
            return self.log_prob(batch)
        model, batch = self.training_chain(batch)
        return model.element_log_prob(batch).sum(1, dtype=torch.float64)

    def training_chain(self, batch: Batch | Tensor) -> tuple[AutoregressiveModel, Batch]:
        """The chain of one order, drawn anew, and the batch (B, D) with its elements in that order."""
        o = int(torch.randint(len(self.orders), ()))
        member = PermutedModel(self.models[0], self.orders[o]) if self.common else self.member(o)
        return member.training_chain(batch)

    def sample(
        self,
        n: int,
        *,
        seed: int | None = None,
        first: int = 0,
        context: Tensor | None = None,
        prefix: Tensor | Sequence[Any] | None = None,
        **options: Any,
    ) -> Sample:
        """Draw n examples, each in an order of its own; both are functions of (seed, number of the example).

        n: number of examples.
        seed: any integer; by default it is taken from torch's generator.
        first: number of the first example.
        context: classes, shape (n,), or vectors, shape (n, C), for conditional models.
        prefix: the first elements of the example, (P,), (n, P) or a list of n of any lengths, where all orders read
            them first; the order is then sampled from p(o | prefix), in proportion to p_o(prefix).

        The log_prob of the sample is that of the mixture, ln p(x) - ln p(prefix).
        """
        known_options(options, set())
        if n < 1:
            raise InputError(f"a sample has at least one example, got n={n}")
        seed = int(torch.randint(2**62, ())) if seed is None else seed
        length = self.orders.shape[1]
        noise = torch.from_numpy(uniforms(seed, range(first, first + n), range(length + 1))).to(self.orders.device)
        given, log_given = self._given(prefix_batch(prefix, n, length), context)
        choice = (noise[:, length] * len(self.orders)).long()
        if given is not None:
            choice = inverse_cdf(log_given.softmax(0).T, noise[:, length])
        rows, drawn = [], []
        for o in sorted(set(choice.tolist())):
            row = (choice == o).nonzero().squeeze(1)
            rows.append(row)
            own = None if context is None else context[row]
            drawn.append(self.member(o).draw(noise[row], own, None if given is None else given[row]))
        x = torch.cat(drawn)[torch.cat(rows).argsort()]
        with evaluating(self):
            log_prob = self.order_log_prob(Batch(x, context=context))
        log_prob = log_prob.logsumexp(0) - log_given.logsumexp(0)
        return Sample(x, torch.ones_like(x, dtype=torch.bool) if given is None else ~given.mask, log_prob, None)

    def _given(self, prefix: Batch | None, context: Tensor | None) -> tuple[Batch | None, Tensor]:
        """A prefix among elements yet unknown, and ln p_o of it alone for every order, shape (O, n)."""
        if prefix is None:
            return None, self.orders.new_zeros(len(self.orders), 1, dtype=torch.float64)
        prefix = prefix.to(self.orders.device)
        for order in self.orders:
            read_first(order, prefix)
        missing = self.orders.shape[1] - prefix.x.shape[1]
        given = Batch(*(nn.functional.pad(part, (0, missing)) for part in (prefix.x, prefix.mask)))
        whole = Batch(given.x, context=context)  # what stands behind a prefix does not change ln p of the prefix
        with evaluating(self):
            members = [self.member(o).element_log_prob(whole) for o in range(len(self.orders))]
        return given, torch.stack([torch.where(given.mask, ln, 0.0).sum(1, dtype=torch.float64) for ln in members])
