"""Mixtures over orders."""

from __future__ import annotations

import torch

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv
from chainrule.models.order_mixture import OrderMixture
from chainrule.models.permuted import random_orders
from chainrule.verification.laws import randomised
from tests.mutants.case import fault


@fault("one order of nine sees its own element", "orders")
def _():
    class Own(CausalConv):
        def layers(self, x, context=None):
            h = super().layers(x, context)
            return [*h[:-1], h[-1] + 2 * self.embedding.elements(x)]

    def chain(o):
        kind = Own if o == 3 else CausalConv
        return randomised(AutoregressiveModel(kind(4, 16, 16, depth=2), CategoricalHead(16, 4)), seed=o)

    torch.manual_seed(0)
    return OrderMixture([chain(o) for o in range(9)], random_orders(16, 9))
