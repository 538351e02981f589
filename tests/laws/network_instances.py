"""One small instance, or more, of every exported network; without one `test_every_part_has_an_instance` fails."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from chainrule.networks import AutoregressiveNetwork, CausalConv, Transformer
from laws.head_instances import FEATURES

LENGTH = 6
CLASSES = torch.tensor([0, 1, 2])
VECTORS = torch.tensor([[0.5, -1.0], [2.0, 0.3], [-0.7, 1.1]])


@dataclass(frozen=True)
class NetworkInstance:
    """How to build a network for a shape of LENGTH elements, and what context it takes."""

    build: Callable[[int | None], AutoregressiveNetwork]
    context: torch.Tensor | None = None


NETWORKS = {
    "CausalConv": NetworkInstance(lambda v: CausalConv(v, LENGTH, FEATURES, depth=3, dropout=0.2)),
    "CausalConv, image, levels, classes": NetworkInstance(
        lambda v: CausalConv(
            v, (2, 3), FEATURES, depth=2, kernel_size=2, dilations=(1, 3), ordinal=v is not None, num_classes=3
        ),
        CLASSES,
    ),
    "Transformer": NetworkInstance(lambda v: Transformer(v, LENGTH, FEATURES, depth=2, heads=2, dropout=0.2)),
    "Transformer, image, vectors": NetworkInstance(
        lambda v: Transformer(v, (2, 3), FEATURES, depth=1, heads=1, context_size=2), VECTORS
    ),
}
