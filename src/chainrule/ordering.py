"""Orders of the elements: a permutation in front of a model, and models of many orders averaged as whole examples.

The chain rule holds for every order o, ln p_o(x) = sum_d ln p(x_{o(d)} | x_{o(1)}, ..., x_{o(d-1)}), and a model of
finite capacity has another distribution for each. Their average is a distribution, too:

    ln p(x) = logsumexp_o ln p_o(x) - ln O

Averaging anything inside the chain instead would show elements their own future.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log, prod
from typing import Any, cast

import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.heads.base import Distribution
from chainrule.heads.categorical import inverse_cdf
from chainrule.model import AutoregressiveModel, Sample, evaluating, prefix_batch
from chainrule.networks.made import MADE
from chainrule.noise import uniforms

__all__ = ["Density", "OrderEnsemble", "Ordered", "random_orders", "scan_orders"]


def random_orders(length: int, count: int, seed: int = 0) -> Tensor:
    """Uniformly random permutations of 0..D-1, shape (count, D); the n-th is a function of the seed and n.

    >>> random_orders(4, 2).sort().values
    tensor([[0, 1, 2, 3],
            [0, 1, 2, 3]])
    """
    return torch.from_numpy(uniforms(seed, range(count), range(length)).argsort(1, kind="stable"))


def scan_orders(shape: tuple[int, ...]) -> Tensor:
    """The ways to scan an image line by line from one of its corners, shape (8, D); the first is raster order.

    The lines are rows or columns, and the channels of a pixel stay together: what a PixelCNN sees is the image turned
    or mirrored. Images that are not square have no scans by columns, because turned they have another shape, and so 4
    orders. shape: (H, W) or (H, W, C).

    >>> scan_orders((2, 2)).tolist()[:4]
    [[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]]
    """
    if len(shape) not in (2, 3):
        raise InputError(f"scans are for images of shape (H, W) or (H, W, C), got {shape}; take random_orders")
    image = torch.arange(prod(shape)).view(shape)
    grids = [image, image.transpose(0, 1)] if shape[0] == shape[1] else [image]
    return torch.stack([grid.flip(axes).flatten() for grid in grids for axes in ([], [1], [0], [0, 1])])


class Ordered(nn.Module):
    """A model whose d-th element is element order[d] of the example.

    model: of examples of D elements. order: a permutation of 0..D-1, shape (D,).

    >>> from chainrule import CategoricalHead, CausalConv
    >>> model = AutoregressiveModel(CausalConv(num_symbols=3, shape=4, width=8), CategoricalHead(8, 3))
    >>> Ordered(model, torch.tensor([3, 2, 1, 0])).log_prob(torch.zeros(2, 4, dtype=torch.long)).shape
    torch.Size([2])
    """

    order: Tensor

    def __init__(self, model: AutoregressiveModel, order: Tensor) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("order", _permutation(order, model.network.length))

    def element_log_prob(self, batch: Batch | Tensor) -> Tensor:
        """ln p of each element given those that come before it in the order, where it stands in x, (B, D), nats."""
        x, context = _whole(batch, len(self.order))
        log_prob = self.model.element_log_prob(Batch(x[:, self.order], context=context))
        return log_prob[:, self.order.argsort()]

    def log_prob(self, batch: Batch | Tensor) -> Tensor:
        """ln p_o(x), summed in float64, shape (B,), nats."""
        return self.element_log_prob(batch).sum(1, dtype=torch.float64)

    def forward(self, batch: Batch | Tensor) -> Tensor:
        """The log-probability itself."""
        return self.log_prob(batch)

    def draw(self, noise: Tensor, context: Tensor | None = None, given: Batch | None = None) -> Tensor:
        """The examples that uniform noise of shape (n, D) stands for; noise d draws the d-th element of the order.

        given: elements that are not drawn, where its mask is True, shape (n, D).
        """

        def draw(d: int, p: Distribution) -> Tensor:
            x = p.icdf(noise[:, d])
            if given is None:
                return x
            here = self.order[d]
            return torch.where(given.mask[:, here], given.x[:, here].to(x.dtype), x)

        return self.model.unroll(draw, len(noise), context=context)[:, self.order.argsort()]

    def sample(self, n: int, *, prefix: Tensor | Sequence[Any] | None = None, **options: Any) -> Sample:
        """Draw n examples; see `AutoregressiveModel.sample`, whose options these are.

        prefix: the first elements of the example, where the order reads them first, too.
        """
        options = _known(options, {"seed", "generator", "first", "context", "temperature", "top_k", "top_p"})
        given = prefix_batch(prefix, n, len(self.order))
        if given is not None:
            given = given.to(self.order.device)
            _read_first(self.order, given)
            rows = zip(given.x, given.elements.tolist(), strict=True)
            prefix = [x[self.order[:length]] for x, length in rows]
        sample = self.model.sample(n, prefix=prefix, **options)
        back = self.order.argsort()
        return Sample(sample.x[:, back], sample.mask[:, back], sample.log_prob, sample.log_q)


class OrderEnsemble(nn.Module):
    """p(x) = 1/O sum_o p_o(x): the mean of the probabilities that O orders give to whole examples.

    models: one model for each order; or a single one with a MADE, whose weights all orders share. orders: (O, D).

    It is no autoregressive model itself, for no single chain has its conditionals; but it is exact, normalised and
    easily drawn from: first an order, then an example.

    Papers: Uria, Murray, Larochelle, *A deep and tractable density estimator*, 2014; for the shared weights, Germain
    et al., *MADE*, 2015.

    >>> from chainrule import BernoulliHead, MADE
    >>> model = AutoregressiveModel(MADE(2, 6, hidden=32), BernoulliHead(1))
    >>> ensemble = OrderEnsemble(model, random_orders(6, 4)).eval()
    >>> ensemble(torch.zeros(5, 6, dtype=torch.long)).shape, ensemble.order_log_prob(torch.zeros(5, 6).long()).shape
    (torch.Size([5]), torch.Size([4, 5]))
    """

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
        self.register_buffer("orders", torch.stack([_permutation(order, length) for order in orders]))

    @property
    def device(self) -> torch.device:
        """Where orders and parameters live."""
        return self.orders.device

    def member(self, o: int) -> Ordered:
        """The model of one order."""
        if not self.shared:
            return Ordered(self.models[o], self.orders[o])
        network = cast(MADE, self.models[0].network).in_order(self.orders[o])
        return Ordered(AutoregressiveModel(network, self.models[0].head), self.orders[o])

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
        return self.member(int(torch.randint(len(self.orders), ()))).log_prob(batch)

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

        prefix: the first elements of the example, (P,), (n, P) or a list of n of any lengths, where all orders read
        them first; the order is then drawn from p(o | prefix), in proportion to p_o(prefix). log_prob of the sample is
        that of the ensemble, ln p(x) - ln p(prefix).
        """
        _known(options, set())
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
            _read_first(order, prefix)
        missing = self.orders.shape[1] - prefix.x.shape[1]
        given = Batch(*(nn.functional.pad(part, (0, missing)) for part in (prefix.x, prefix.mask)))
        whole = Batch(given.x, context=context)  # what stands behind a prefix does not change ln p of the prefix
        with evaluating(self):
            members = [self.member(o).element_log_prob(whole) for o in range(len(self.orders))]
        return given, torch.stack([torch.where(given.mask, ln, 0.0).sum(1, dtype=torch.float64) for ln in members])


Density = AutoregressiveModel | OrderEnsemble  # what is fitted, scored and drawn from: a chain, or a mean of chains


def _read_first(order: Tensor, prefix: Batch) -> None:
    """Refuse a prefix that the order does not read before everything else."""
    for length in sorted(set(prefix.elements.tolist())):
        early = order[:length].tolist()
        if sorted(early) != list(range(length)):
            raise InputError(
                f"a prefix of {length} elements cannot be given to an order that begins {early[:8]}: it must read "
                f"0 to {length - 1} first; take the natural order, or a shorter or longer prefix"
            )


def _known(options: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """The options of sampling, where each of them has a meaning in another order."""
    for name in options:
        if name not in known:
            why = "its conditionals are those of no single chain" if not known else "its elements come in another order"
            raise InputError(f"a model of other orders cannot be drawn from with {name}: {why}; leave it out")
    return options


def _permutation(order: Tensor, length: int) -> Tensor:
    if (
        order.is_floating_point()
        or order.shape != (length,)
        or not bool((order.sort().values.cpu() == torch.arange(length)).all())
    ):
        raise InputError(f"an order of {length} elements is a permutation of 0..{length - 1}, got {order.tolist()}")
    return order


def _whole(batch: Batch | Tensor, length: int) -> tuple[Tensor, Tensor | None]:
    """The elements and the context of a batch in which every element counts."""
    batch = batch if isinstance(batch, Batch) else Batch(batch)
    if batch.x.shape[1] != length or not bool(batch.mask.all()):
        raise InputError(
            f"another order needs examples of all {length} elements, each of them scored, got some of "
            f"{int(batch.mask.sum(1).min())} in a batch of width {batch.x.shape[1]}"
        )
    return batch.x, batch.context
