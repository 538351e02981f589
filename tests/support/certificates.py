"""A certificate at hand, for tests of what comes after it."""

from functools import cache

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv, verify


@cache
def a_certificate():
    """The certificate of a tiny model."""
    return verify(AutoregressiveModel(CausalConv(3, 4, 8, 1), CategoricalHead(8, 3)), quick=True)
