"""Trees at random, of which those of the last element read every element before it."""

import torch

from chainrule.networks import BoostedTrees


def with_random_trees(network: BoostedTrees, each: int = 12) -> BoostedTrees:
    """The network with `each` full trees for every decision about every element but the first."""
    generator = torch.Generator().manual_seed(0)
    forests, nodes = network.length * network.features, network.leaves - 1
    owner = torch.arange(network.features, forests).repeat_interleave(each)
    feature = (torch.rand(len(owner), nodes, generator=generator) * (owner // network.features)[:, None]).long()
    last = owner // network.features == network.length - 1
    feature[last] = torch.arange(int(last.sum()) * nodes).view(-1, nodes) % (network.length - 1)
    low, high = (-2.0, 2.0) if network.num_symbols is None else (0.0, network.num_symbols - 1.0)
    threshold = low + (high - low) * torch.rand(len(owner), nodes, generator=generator, dtype=torch.float64)
    kept = ~((2 << torch.arange(nodes)) - 1).expand(len(owner), nodes)  # a chain: each node splits off a leaf
    value = torch.randint(-(2**20), 2**20, (len(owner), nodes + 1), generator=generator)
    network.forest.load(owner, feature, threshold, kept, value)
    network.forest.start.copy_(torch.randint(-(2**20), 2**20, (forests,), generator=generator))
    assert network.forest.fault() is None
    return network
