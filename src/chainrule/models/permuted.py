"""Orders of the elements: a permutation in front of a model.

    ln p_o(x) = sum_d ln p(x_{o(d)} | x_{o(1)}, ..., x_{o(d-1)})

The chain rule holds for every order o, and a model of finite capacity has another distribution for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch import Tensor

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.heads.base import Distribution
from chainrule.models.base import Model, Sample
from chainrule.models.chain import AutoregressiveModel
from chainrule.models.sampler import prefix_batch
from chainrule.noise import uniforms

__all__ = ["PermutedModel", "known_options", "permutation", "random_orders", "read_first", "scan_orders"]


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


class PermutedModel(Model):
    """A model whose d-th element is element order[d] of the example.

    model: model of examples of D elements.
    order: permutation of 0..D-1, shape (D,).

    >>> from chainrule import CategoricalHead, CausalConv
    >>> model = AutoregressiveModel(CausalConv(num_symbols=3, shape=4, width=8), CategoricalHead(8, 3))
    >>> PermutedModel(model, torch.tensor([3, 2, 1, 0])).log_prob(torch.zeros(2, 4, dtype=torch.long)).shape
    torch.Size([2])
    """

    order: Tensor

    def __init__(self, model: AutoregressiveModel, order: Tensor) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("order", permutation(order, model.network.length))

    @property
    def length(self) -> int:
        return len(self.order)

    @property
    def num_symbols(self) -> int | None:
        return self.model.num_symbols

    @property
    def exact_training(self) -> bool:
        return self.model.exact_training

    @property
    def chains(self) -> tuple[AutoregressiveModel, ...]:
        return (self.model,)

    @property
    def permuted_chains(self) -> tuple[PermutedModel, ...]:
        return (self,)

    def training_chain(self, batch: Batch | Tensor) -> tuple[AutoregressiveModel, Batch]:
        return self.model, self.permuted(batch)

    def initialise(self, x: Tensor) -> None:
        """Start from data, rows (N, D) in the natural order."""
        self.model.initialise(x[:, self.order])

    def describe(self) -> str:
        return f"{self.model.describe()}, in another order"

    def element_log_prob(self, batch: Batch | Tensor) -> Tensor:
        """ln p of each element given those that come before it in the order, where it stands in x, (B, D), nats."""
        return self.model.element_log_prob(self.permuted(batch))[:, self.order.argsort()]

    def permuted(self, batch: Batch | Tensor) -> Batch:
        """The batch (B, D) with its elements in the order; raises InputError where one of them does not count."""
        batch = batch if isinstance(batch, Batch) else Batch(batch)
        if batch.x.shape[1] != len(self.order) or not bool(batch.mask.all()):
            raise InputError(
                f"another order needs examples of all {len(self.order)} elements, each of them scored, got some of "
                f"{int(batch.mask.sum(1).min())} in a batch of width {batch.x.shape[1]}"
            )
        return Batch(batch.x[:, self.order], context=batch.context)

    def log_prob(self, batch: Batch | Tensor) -> Tensor:
        """ln p_o(x), summed in float64, shape (B,), nats."""
        return self.element_log_prob(batch).sum(1, dtype=torch.float64)

    def draw(self, noise: Tensor, context: Tensor | None = None, given: Batch | None = None) -> Tensor:
        """The examples that uniform noise stands for; noise d draws the d-th element of the order.

        noise: uniform numbers in [0, 1), shape (n, D).
        context: classes, shape (n,), or vectors, shape (n, C), for conditional models.
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

        n: number of examples.
        prefix: the first elements of the example, where the order reads them first, too.
        """
        options = known_options(options, {"seed", "generator", "first", "context", "temperature", "top_k", "top_p"})
        given = prefix_batch(prefix, n, len(self.order))
        if given is not None:
            given = given.to(self.order.device)
            read_first(self.order, given)
            rows = zip(given.x, given.elements.tolist(), strict=True)
            prefix = [x[self.order[:length]] for x, length in rows]
        sample = self.model.sample(n, prefix=prefix, **options)
        back = self.order.argsort()
        return Sample(sample.x[:, back], sample.mask[:, back], sample.log_prob, sample.log_q)


def read_first(order: Tensor, prefix: Batch) -> None:
    """Refuse a prefix that the order does not read before everything else."""
    for length in sorted(set(prefix.elements.tolist())):
        early = order[:length].tolist()
        if sorted(early) != list(range(length)):
            raise InputError(
                f"a prefix of {length} elements cannot be given to an order that starts with {early[:8]}: it must read "
                f"0 to {length - 1} first; take the natural order, or a shorter or longer prefix"
            )


def known_options(options: dict[str, Any], known: set[str]) -> dict[str, Any]:
    """The options of sampling, where each of them has a meaning in another order."""
    for name in options:
        if name not in known:
            why = "its conditionals are not those of one chain" if not known else "its elements come in another order"
            raise InputError(f"a model of other orders cannot be sampled with {name}: {why}; leave it out")
    return options


def permutation(order: Tensor, length: int) -> Tensor:
    """The order itself; raises InputError if it is not a permutation of 0..length-1."""
    if (
        order.is_floating_point()
        or order.shape != (length,)
        or not bool((order.sort().values.cpu() == torch.arange(length)).all())
    ):
        raise InputError(f"an order of {length} elements is a permutation of 0..{length - 1}, got {order.tolist()}")
    return order
