"""A certificate and a picture at hand, for tests of what comes after them."""

from functools import cache

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv, verify
from chainrule.reporting.pictures import learning_curve

__all__ = ["a_certificate", "a_learning_curve"]


@cache
def a_certificate():
    """The certificate of a tiny model."""
    return verify(AutoregressiveModel(CausalConv(3, 4, 8, 1), CategoricalHead(8, 3)), quick=True)


@cache
def a_learning_curve():
    """The picture of a short training."""
    return learning_curve([{"step": step, "valid_nats_per_example": 3.0 - step} for step in (1, 2)], 2, 3.0)
