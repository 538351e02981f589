"""Sound models of the house: every network under every head that reads the same, and models of many shapes."""

from __future__ import annotations

import torch

from chainrule.models.chain import AutoregressiveModel
from chainrule.verification.laws import randomised
from tests.laws.head_instances import HEADS
from tests.laws.network_instances import NETWORKS
from tests.mutants.case import sound
from tests.mutants.faults import sound_model


def paired(network, head):
    torch.manual_seed(0)
    built = HEADS[head]()
    instance = NETWORKS[network]
    model = randomised(AutoregressiveModel(instance.build(built.num_symbols), built))
    context = None if instance.context is None else instance.context[torch.arange(4) % len(instance.context)]
    return model, {"context": context}


SYMBOLS = {head: build().num_symbols is not None for head, build in HEADS.items()}


def fits(network, head):
    """Whether a network reads what a head scores; each head goes with every third network."""
    reads = SYMBOLS[head] or NETWORKS[network].reads_reals
    return reads and (list(NETWORKS).index(network) + list(HEADS).index(head)) % 3 == 0


for _network in NETWORKS:
    for _head in HEADS:
        if fits(_network, _head):
            sound(f"{_network}; {_head}", "of the house")(lambda n=_network, h=_head: paired(n, h))
for _seed in range(40):
    sound(f"a model of our own by the seed {_seed}", "of the house")(lambda seed=_seed: sound_model(seed))
