"""What is fitted without gradients: part after part, in a loop that saves where it stands and can be interrupted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch

from chainrule.data.examples.base import Examples
from chainrule.errors import InputError
from chainrule.models.base import Model
from chainrule.networks.boosted_trees import BoostedTrees
from chainrule.networks.chow_liu import ChowLiu
from chainrule.networks.joint_gaussians import JointGaussians
from chainrule.networks.kernels import Kernels
from chainrule.networks.ngram import NGram
from chainrule.training.allowance import Allowance
from chainrule.training.boosting import Boosting
from chainrule.training.checkpoint import Checkpoints
from chainrule.training.counting import Counting
from chainrule.training.joint_fitting import JointFitting
from chainrule.training.kernel_fitting import KernelFitting
from chainrule.training.pair_counting import PairCounting

__all__ = ["Fitting", "fit_parts", "fitting_of"]


class Fitting(Protocol):
    """A model while it is fitted.

    step: number of parts that are fitted.
    parts: number of all of them.
    """

    step: int
    parts: int

    def fit_next(self) -> None:
        """Fit one more part."""

    def load_into_network(self) -> None:
        """Put what is fitted into the model."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a saved state; raises InputError, and changes nothing, if it does not fit."""


def fitting_of(
    model: Model, train: Examples, valid: Examples, seed: int, allowance: Allowance | None = None
) -> Fitting:
    """The beginning of fitting a model whose network does not have gradients.

    model: a chain, changed in place by `load_into_network`.
    train, valid: the examples, those of validation to know when to stop.
    seed: seed of what is drawn at random.
    allowance: the time that fitting has; None for as much as it takes.
    """
    chain = model.single_chain()
    if isinstance(chain.network, BoostedTrees):
        return Boosting(chain, train, valid, seed=seed, threads=torch.get_num_threads(), allowance=allowance)
    if isinstance(chain.network, JointGaussians):
        return JointFitting(chain, train, seed=seed)
    if isinstance(chain.network, ChowLiu):
        return PairCounting(chain, train, valid)
    if isinstance(chain.network, Kernels):
        return KernelFitting(chain, train, seed=seed)
    if isinstance(chain.network, NGram):
        return Counting(chain, train, valid)
    raise InputError(f"a {type(chain.network).__name__} is trained by its gradients; take training.fit")


def fit_parts(
    fitting: Fitting,
    checkpoints: Checkpoints | None = None,
    stop: Callable[[], bool] = lambda: False,
    on_part: Callable[[int], Any] = lambda step: None,
) -> bool:
    """Fit the parts that are left, put them into the model, and return whether they are all there.

    checkpoints: where the state is saved while it goes on and when it ends, by default nowhere.
    stop: asked before each part; True ends fitting.
    on_part: called after each part with the number of those that are fitted.
    """
    while fitting.step < fitting.parts and not stop():
        fitting.fit_next()
        on_part(fitting.step)
        if checkpoints is not None and checkpoints.due(fitting.step):
            checkpoints.save(fitting)
    if checkpoints is not None:
        checkpoints.save(fitting)
    fitting.load_into_network()
    return fitting.step >= fitting.parts
