"""The contract of a model: everything that has a likelihood, ln p(x), whatever it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from chainrule.batch import Batch
from chainrule.errors import InputError
from chainrule.heads.base import Distribution

if TYPE_CHECKING:
    from chainrule.models.chain import AutoregressiveModel
    from chainrule.models.permuted import PermutedModel

__all__ = ["Model", "Sample", "as_model", "evaluating"]


@dataclass(frozen=True)
class Sample:
    """What was drawn, and how probable it was.

    x: elements, shape (n, D).
    mask: True for the elements that were drawn, False for the prefix and after the end, shape (n, D).
    log_prob: ln p of the drawn elements given the prefix, shape (n,), nats.
    log_q: ln of the probability with which the filtered sampler drew them, shape (n,); None when nothing was filtered,
        because it is then `log_prob`.
    """

    x: Tensor
    mask: Tensor
    log_prob: Tensor
    log_q: Tensor | None

    def __len__(self) -> int:
        return len(self.x)


class Model(nn.Module):
    """ln p(x) of examples, and what else the model can do; what it cannot do, it refuses with the reason.

    A chain, a chain in another order, a mixture over orders, a baseline and a wrapped module are models. Each defines
    `element_log_prob`; or, where single elements have no ln p of their own, `log_prob` and has_conditionals = False.

    has_conditionals: whether `element_log_prob` gives the ln p of each element.
    common: True while all orders of a mixture train as its first chain.

    >>> from chainrule import CategoricalHead, CausalConv
    >>> from chainrule.models.chain import AutoregressiveModel
    >>> model = AutoregressiveModel(CausalConv(num_symbols=3, shape=4, width=8), CategoricalHead(8, 3))
    >>> isinstance(model, Model), model.has_conditionals, model.length, model.num_symbols
    (True, True, 4, 3)
    """

    has_conditionals: bool = True
    common: bool = False

    def log_prob(self, batch: Batch) -> Tensor:
        """ln p(x_n) = sum_d ln p(x_{n,d} | x_{n,<d}) over the elements that count, in nats, shape (B,)."""
        return self.element_log_prob(batch).sum(1)

    def forward(self, batch: Batch) -> Tensor:
        """The log-probability itself, so that what wraps the module wraps the exact quantity."""
        return self.log_prob(batch)

    def element_log_prob(self, batch: Batch) -> Tensor:
        """ln p(x_d | x_<d) in nats, shape (B, D); 0 where the mask says that an element does not count."""
        raise self.refusal("ln p of single elements")

    def conditionals(self, batch: Batch) -> Distribution | None:
        """p(x_d | x_<d) of all elements as a distribution of batch shape (B, D); None where only ln p is known."""
        return None

    def sample(self, n: int, *args: Any, **options: Any) -> Sample:
        """Draw n examples; see `AutoregressiveModel.sample` for the options."""
        raise self.refusal("samples")

    @property
    def features_per_element(self) -> int:
        """How many numbers scoring holds per element, by which evaluation makes its batches smaller; 0 where few."""
        return 0

    @property
    def elements_at_once(self) -> int | None:
        """The elements of a batch at which a processor scores fastest; None where evaluation's own number will do."""
        return None

    @property
    def exact_training(self) -> bool:
        """Whether training maximises ln p itself; otherwise it maximises the head's estimate of it."""
        return True

    @property
    def fitted_by_gradients(self) -> bool:
        """Whether an optimizer moves its weights; otherwise they are fitted by other means, see `training.fitted`."""
        return all(chain.network.fitted_by_gradients for chain in self.chains)

    @property
    def chains(self) -> tuple[AutoregressiveModel, ...]:
        """The autoregressive models inside: one, one per order, or none."""
        return ()

    @property
    def permuted_chains(self) -> tuple[PermutedModel, ...]:
        """The chains in orders of their own that this model is a mixture of; none for a chain in the natural order."""
        return ()

    def single_chain(self) -> AutoregressiveModel:
        """The model itself where it is one chain in the natural order; otherwise an InputError that says why not."""
        raise self.refusal("one chain of conditionals")

    def training_chain(self, batch: Batch) -> tuple[AutoregressiveModel, Batch]:
        """The chain that a training step maximises on a batch (B, D), and the batch as that chain reads it."""
        raise self.refusal("a network and a head to train apart")

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return next((part.device for part in self.parameters()), torch.device("cpu"))

    @property
    def length(self) -> int | None:
        """D, the number of elements of the longest example; None where a model takes any."""
        return None

    @property
    def num_symbols(self) -> int | None:
        """V of a finite alphabet that all elements share; None where there is none."""
        return None

    def initialise(self, x: Tensor) -> None:
        """Start from data, rows (N, D) as they are scored, NaN where a real number is missing."""
        for chain in self.chains:
            chain.initialise(x)

    def describe(self) -> str:
        """What kind of model this is, in a few words."""
        return type(self).__name__

    def refusal(self, wanted: str) -> InputError:
        """The error for what this model does not have."""
        return InputError(f"a {type(self).__name__} does not have {wanted}; take an AutoregressiveModel")


class WrappedModule(Model):
    """Any module from a Batch to ln p of its examples (B,), as a model of which nothing else is known."""

    has_conditionals = False

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def log_prob(self, batch: Batch) -> Tensor:
        log_prob: Tensor = self.module(batch)
        return log_prob

    def refusal(self, wanted: str) -> InputError:
        return InputError(
            f"a {type(self.module).__name__} is not a model of chainrule and does not have {wanted}; "
            "make it an AutoregressiveModel, see chainrule.wrap"
        )


def as_model(module: nn.Module) -> Model:
    """The module itself if it is a `Model`; otherwise a model whose ln p is what the module says of a Batch."""
    return module if isinstance(module, Model) else WrappedModule(module)


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Inside: evaluation mode and no gradients. Afterwards: each part has the mode that it had before.

    Tensors made inside cannot take part in a gradient later: clone those that leave.
    """
    modes = [(part, part.training) for part in model.modules()]
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        for part, training in modes:
            part.training = training
