"""One small instance, or more, of every exported network; without one `test_every_part_has_an_instance` fails."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from chainrule.data.examples.arrays import ArrayExamples
from chainrule.domain import Column
from chainrule.heads import CategoricalHead, ColumnsHead, GaussianMixtureHead, LogitsHead, MissingHead
from chainrule.heads.marginal import Marginal
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks import (
    MADE,
    NADE,
    AutoregressiveNetwork,
    BoostedTrees,
    CausalConv,
    ChowLiu,
    CorrectedNGram,
    EnsembleNetwork,
    HuggingFace,
    JointGaussians,
    Kernels,
    NGram,
    PixelCNN,
    Recomputed,
    Recurrent,
    SparseNADE,
    StateSpace,
    Transformer,
)
from chainrule.training.counting import Counting
from tests.laws.head_instances import FEATURES
from tests.support.random_trees import with_random_trees

LENGTH = 6
CLASSES = torch.tensor([0, 1, 2])
VECTORS = torch.tensor([[0.5, -1.0], [2.0, 0.3], [-0.7, 1.1]])


@dataclass(frozen=True)
class NetworkInstance:
    """How to build a network for a shape of LENGTH elements, what context it takes, whether it reads reals too."""

    build: Callable[[int | None], AutoregressiveNetwork]
    context: torch.Tensor | None = None
    reads_reals: bool = True


def gpt2() -> HuggingFace:
    """A random GPT-2 whose logits are as many as the other networks' features."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=FEATURES, n_positions=LENGTH, n_embd=8, n_layer=2, n_head=2, bos_token_id=0)
    return HuggingFace(GPT2LMHeadModel(config), length=LENGTH)


def counted(network: NGram) -> NGram:
    """N-grams of random symbols, in which every context occurs."""
    noise = np.random.default_rng(0)
    train, valid = (ArrayExamples(noise.integers(0, FEATURES, (600, LENGTH))) for _ in range(2))
    Counting(AutoregressiveModel(network, LogitsHead(FEATURES)), train, valid).fit_next()
    return network


def corrected(**options: Any) -> CorrectedNGram:
    """N-grams of random symbols and a small network."""
    network = CorrectedNGram(FEATURES, LENGTH, width=8, depth=1, heads=2, dropout=0.2, orders=(2, 3), **options)
    counted(network.ngrams)
    return network


class AlwaysSparse(SparseNADE):
    """The network with one sum for each change, however many there are."""

    least_saved = 0


class Sorting(CausalConv):
    """A network that sorts contexts by their last symbol."""

    sorts_contexts = True
    kind_reads = 1

    @property
    def kinds(self) -> int:
        return (self.symbols_read or 0) + 1

    def kind(self, before: torch.Tensor) -> torch.Tensor:
        return before[:, 0]


def gated(ensemble: EnsembleNetwork) -> EnsembleNetwork:
    """The ensemble with random weights by context."""
    assert ensemble.gate is not None
    ensemble.gate.weigh(torch.rand_like(ensemble.gate.log_weight).softmax(1))
    return ensemble


def joint(num_symbols: int | None) -> JointGaussians:
    """Joint Gaussians over numbers, of whole ones where there are symbols, with random parameters."""
    noise = torch.Generator().manual_seed(0)
    step = None if num_symbols is None else 1.0
    columns = [Column(None, resolution=step)] * LENGTH
    network = JointGaussians(columns, [Marginal(step) for _ in columns], classes=1)
    for part in (network.scores, network.values):
        part.mean.normal_(generator=noise)
        lower = torch.randn(1, LENGTH, LENGTH, generator=noise).double().tril(-1)
        part.lower.copy_(lower + torch.eye(LENGTH))
    return network


def chow_liu(num_symbols: int, parent: tuple[int, ...]) -> ChowLiu:
    """A tree with random tables."""
    network = ChowLiu(num_symbols, LENGTH)
    noise = torch.randn(network.log_table.shape, generator=torch.Generator().manual_seed(0)).double()
    network.load(torch.tensor(parent), noise.log_softmax(1), network.place, network.log_within)
    return network


def kernels(num_symbols: int | None) -> Kernels:
    """Kernels at random rows, of whole numbers where there are symbols."""
    noise = torch.Generator().manual_seed(0)
    step = None if num_symbols is None else 1.0
    columns = [Column(None, resolution=step)] * LENGTH
    network = Kernels(columns, [Marginal(step) for _ in columns], levels=2, groups=1)
    rows = torch.randn(7, LENGTH, generator=noise).double()
    network.hold(rows, torch.zeros(7, LENGTH).long(), torch.zeros(1, LENGTH))
    network.width[0] = 0.3
    return network


def remembering(num_symbols: int | None) -> EnsembleNetwork:
    """Two networks of rows, weighed by what each has said, and their heads."""
    members = [MADE(num_symbols, LENGTH, 3), CausalConv(num_symbols, LENGTH, 3, depth=1)]
    one = MissingHead(GaussianMixtureHead(3)) if num_symbols is None else CategoricalHead(3, num_symbols)
    ensemble = EnsembleNetwork(members, hindsight=[ColumnsHead([one] * LENGTH) for _ in members])
    assert ensemble.hindsight is not None
    ensemble.hindsight.weigh(torch.tensor([0.3, 0.7, 0.6]).double())
    return ensemble


class Logits(torch.nn.Module):
    """A user's module: logits from a causal convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.network = CausalConv(FEATURES, LENGTH, FEATURES, depth=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)


NETWORKS = {
    "BoostedTrees": NetworkInstance(lambda v: with_random_trees(BoostedTrees(v, LENGTH, FEATURES, leaves=4))),
    "BoostedTrees, image": NetworkInstance(lambda v: with_random_trees(BoostedTrees(v, (2, 3), FEATURES, leaves=3))),
    "CausalConv": NetworkInstance(lambda v: CausalConv(v, LENGTH, FEATURES, depth=3, dropout=0.2)),
    "CausalConv, image, levels, classes": NetworkInstance(
        lambda v: CausalConv(
            v, (2, 3), FEATURES, depth=2, kernel_size=2, dilations=(1, 3), ordinal=v is not None, num_classes=3
        ),
        CLASSES,
    ),
    "CausalConv, plain": NetworkInstance(lambda v: CausalConv(v, LENGTH, FEATURES, depth=2, gated=False, dropout=0.2)),
    "ChowLiu": NetworkInstance(lambda v: chow_liu(FEATURES, (5, 3, 3, 5, 0, 5)), reads_reals=False),
    "ChowLiu, forest": NetworkInstance(lambda v: chow_liu(FEATURES, (0, 0, 2, 2, 5, 1)), reads_reals=False),
    "EnsembleNetwork, classes": NetworkInstance(
        lambda v: EnsembleNetwork(
            [CausalConv(v, LENGTH, 5, depth=1, num_classes=3), Recurrent(v, LENGTH, 3, dropout=0.2, num_classes=3)]
        ),
        CLASSES,
    ),
    "CorrectedNGram": NetworkInstance(lambda v: corrected(network="transformer", recall=(1, 2, 4)), reads_reals=False),
    "CorrectedNGram, without recall": NetworkInstance(
        lambda v: corrected(network="recurrent", recall=()), reads_reals=False
    ),
    "EnsembleNetwork, by context": NetworkInstance(
        lambda v: gated(EnsembleNetwork([CausalConv(v, LENGTH, 5, depth=1), Sorting(v, LENGTH, 1, depth=1)], True)),
        reads_reals=False,
    ),
    "EnsembleNetwork, by hindsight": NetworkInstance(remembering),
    "HuggingFace": NetworkInstance(lambda v: gpt2(), reads_reals=False),
    "JointGaussians": NetworkInstance(joint),
    "Kernels": NetworkInstance(kernels),
    "MADE": NetworkInstance(lambda v: MADE(v, LENGTH, FEATURES, hidden=20, dropout=0.2)),
    "MADE, in another order, vectors": NetworkInstance(
        lambda v: MADE(v, LENGTH, FEATURES, depth=0, hidden=20, ordinal=v is not None, context_size=2).in_order(
            torch.tensor([3, 0, 5, 1, 4, 2])
        ),
        VECTORS,
    ),
    "NADE": NetworkInstance(lambda v: NADE(v, LENGTH, FEATURES, width=20, dropout=0.2)),
    "SparseNADE": NetworkInstance(lambda v: SparseNADE(v, LENGTH, FEATURES, width=20, dropout=0.2), reads_reals=False),
    "SparseNADE, always": NetworkInstance(
        lambda v: AlwaysSparse(v, LENGTH, FEATURES, depth=1, width=20, dropout=0.2), reads_reals=False
    ),
    "NADE, deep, levels, vectors": NetworkInstance(
        lambda v: NADE(v, LENGTH, FEATURES, depth=2, width=20, ordinal=v is not None, context_size=2), VECTORS
    ),
    "NGram": NetworkInstance(lambda v: counted(NGram(FEATURES, LENGTH, orders=(1, 2, 3))), reads_reals=False),
    "PixelCNN": NetworkInstance(lambda v: PixelCNN(v, (2, 3), FEATURES, depth=1, dropout=0.2)),
    "PixelCNN, gated, attention, levels": NetworkInstance(
        lambda v: PixelCNN(
            v, (3, 2), FEATURES, depth=2, concat_elu=False, attention=[2], dropout=0.2, ordinal=v is not None
        )
    ),
    "PixelCNN, channels, classes": NetworkInstance(
        lambda v: PixelCNN(v, (1, 2, 3), FEATURES, depth=1, dropout=0.2, num_classes=3), CLASSES
    ),
    "Recurrent": NetworkInstance(lambda v: Recurrent(v, LENGTH, FEATURES, depth=2, dropout=0.2)),
    "Recomputed": NetworkInstance(lambda v: Recomputed(Logits(), FEATURES, LENGTH), reads_reals=False),
    "Recurrent, LSTM, image, classes": NetworkInstance(
        lambda v: Recurrent(v, (2, 3), FEATURES, lstm=True, num_classes=3), CLASSES
    ),
    "StateSpace": NetworkInstance(lambda v: StateSpace(v, LENGTH, FEATURES, depth=2, dropout=0.2)),
    "StateSpace, image, levels, classes": NetworkInstance(
        lambda v: StateSpace(v, (2, 3), FEATURES, depth=1, size=5, ordinal=v is not None, num_classes=3), CLASSES
    ),
    "Transformer": NetworkInstance(lambda v: Transformer(v, LENGTH, FEATURES, depth=2, heads=2, dropout=0.2)),
    "Transformer, window, groups, columns": NetworkInstance(
        lambda v: Transformer(v, LENGTH, FEATURES, depth=2, heads=2, groups=1, window=2, positions=True)
    ),
    "Transformer, value embeddings": NetworkInstance(
        lambda v: Transformer(v, LENGTH, FEATURES, depth=1, heads=2, value_embeddings=v is not None)
    ),
    "Transformer, n-grams, window": NetworkInstance(
        lambda v: Transformer(v, LENGTH, FEATURES, depth=1, heads=2, window=2, ngrams=0 if v is None else 50)
    ),
    "Transformer, image, vectors": NetworkInstance(
        lambda v: Transformer(v, (2, 3), FEATURES, depth=1, heads=1, context_size=2), VECTORS
    ),
}
