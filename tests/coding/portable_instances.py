"""Chains with a portable form, one of every kind, and rows that they draw."""

import numpy as np
import torch

from chainrule.coding.elements import Anchor
from chainrule.coding.walk import Layout
from chainrule.config.registry import averaged
from chainrule.domain import Column
from chainrule.heads.bernoulli import BernoulliHead
from chainrule.heads.blend import BlendHead
from chainrule.heads.categorical import CategoricalHead
from chainrule.heads.columns import ColumnsHead
from chainrule.heads.count import CountHead
from chainrule.heads.decisions import DecisionsHead
from chainrule.heads.first_logits import FirstLogitsHead
from chainrule.heads.gaussian_mixture import GaussianMixtureHead
from chainrule.heads.logistic_mixture import LogisticMixtureHead
from chainrule.heads.logits import LogitsHead
from chainrule.heads.missing import MissingHead
from chainrule.heads.rare import RareHead
from chainrule.heads.scores import ScoresHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.boosted_trees import BoostedTrees
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.made import MADE
from chainrule.networks.nade import NADE
from chainrule.networks.ngram import NGram
from chainrule.networks.pixelcnn import PixelCNN
from chainrule.networks.recurrent import Recurrent
from chainrule.networks.sparse_nade import SparseNADE
from tests.laws.head_instances import decisions
from tests.laws.network_instances import FEATURES, LENGTH, counted
from tests.networks.test_chow_liu import random_tree
from tests.support.random_trees import with_random_trees

NUMBERS = (Column(4), Column(None, resolution=1.0, count=True), Column(None, resolution=0.5, missing=True))
NUMBERS += (Column(3, ordinal=True, missing=True), Column(None, resolution=1.0), Column(2))
SIZES = (5, 2, 3, 5, 4, 1)  # symbols of the columns of a table


def tree(seed=0):
    return AutoregressiveModel(random_tree(LENGTH, FEATURES, seed), LogitsHead(FEATURES))


def tree_of_columns():
    head = ColumnsHead([FirstLogitsHead(max(SIZES), size) for size in SIZES])
    return AutoregressiveModel(random_tree(len(SIZES), max(SIZES), 1), head)


def ngrams(orders=(1, 2, 3)):
    return AutoregressiveModel(counted(NGram(FEATURES, LENGTH, orders=orders)), LogitsHead(FEATURES))


def trees():
    """Boosted trees of symbols."""
    network = with_random_trees(BoostedTrees(FEATURES, LENGTH, FEATURES - 1, leaves=4))
    return AutoregressiveModel(network, DecisionsHead(FEATURES - 1, FEATURES))


def trees_of(columns, seed=0):
    """Boosted trees of a table."""
    torch.manual_seed(seed)
    head = ColumnsHead([decisions(column) for column in columns])
    symbols = None if any(c.num_symbols is None for c in columns) else max(SIZES)
    return AutoregressiveModel(with_random_trees(BoostedTrees(symbols, len(columns), head.features, leaves=4)), head)


def weighed():
    model = averaged([tree(), ngrams(), trees()], weighted=True)
    model.head.weigh(torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64))
    return model


def by_context():
    model = averaged([tree(), ngrams()], weights_by="context")
    weights = torch.rand(model.network.gate.log_weight.shape, generator=torch.Generator().manual_seed(0))
    model.network.gate.weigh(weights.double() / weights.double().sum(1, keepdim=True))
    return model


def by_hindsight(*members):
    model = averaged(members, weights_by="hindsight")
    model.network.hindsight.weigh(torch.tensor([0.3, 0.7, 0.6]).double())
    return model


def trained(network, head, x, scale=0.4):
    """A network and its head with weights of a size that training gives them."""
    torch.manual_seed(3)
    network.initialise(x)
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "norm" not in name and "embedding.table" not in name:
                weight.copy_(torch.randn_like(weight) * scale / max(1, weight.shape[-1] ** 0.5))
    return AutoregressiveModel(network, head)


def symbols(count=200, length=LENGTH, size=FEATURES):
    return torch.randint(size, (count, length), generator=torch.Generator().manual_seed(1))


def nade(**options):
    return trained(NADE(FEATURES, LENGTH, width=24, **options), CategoricalHead(FEATURES - 1, FEATURES), symbols())


def bits(kind):
    """A network of bits, of which few are 1."""
    torch.manual_seed(0)
    return trained(kind(2, 8, width=24), BernoulliHead(1), (torch.rand(200, 8) < 0.1).long())


def made(**options):
    torch.manual_seed(0)
    network = MADE(FEATURES, LENGTH, hidden=24, **options)
    return trained(
        network.in_order(torch.tensor([4, 1, 3, 0, 5, 2])), CategoricalHead(FEATURES - 1, FEATURES), symbols()
    )


def symbol_heads(features):
    """A head of every kind for symbols."""
    torch.manual_seed(2)
    of = [MissingHead(CategoricalHead(features, 3)), RareHead(features, 9, frequent=4), FirstLogitsHead(features, 3)]
    levels = LogisticMixtureHead(features, 20)
    return ColumnsHead([*of, BlendHead([levels, CategoricalHead(features, 20)]), BernoulliHead(features)])


def numbers_by(kind, **options):
    """A network of numbers, counts and symbols, some of which are missing."""
    torch.manual_seed(0)
    of = [MissingHead(CountHead(8)), CategoricalHead(8, 3), CountHead(8), MissingHead(RareHead(8, 9, frequent=4))]
    x = torch.tensor([[1.0, 2.0, 30.0, torch.nan], [torch.nan, 0.0, 4.0, 3.0], [5.0, 1.0, 9.0, 8.0]]).double()
    return trained(kind(None, 4, 8, **options), ColumnsHead(of), x)


def numbers_at_steps():
    """A network of numbers at a step, by every head that numbers have by default."""
    torch.manual_seed(5)
    x = torch.cat([torch.randn(60, 3).double() * torch.tensor([2.0, 30.0, 1.0]), torch.randn(60, 1).abs() * 9], 1)
    x = torch.round(x * 2) / 2
    x[:, 3] = x[:, 3].round()
    x[::3, 0] = 1.5
    x[::5, 1] = torch.nan
    steps = (0.5, 0.5, 0.5, 1.0)
    blends = [
        BlendHead([GaussianMixtureHead(8, resolution=step), ScoresHead(8, resolution=step)]) for step in steps[:2]
    ]
    counts = BlendHead([CountHead(8), ScoresHead(8, resolution=1.0, naturals=True)])
    head = ColumnsHead([blends[0], MissingHead(blends[1]), GaussianMixtureHead(8, resolution=0.5), counts])
    chain = trained(NADE(None, 4, 8, width=16), head, x, scale=0.2)
    head.initialise(x)
    return chain


def conv(**options):
    torch.manual_seed(0)
    network = CausalConv(FEATURES, LENGTH, 12, depth=3, **options)
    return trained(network, CategoricalHead(12, FEATURES), symbols(), 1.5)


def recurrent(**options):
    torch.manual_seed(0)
    network = Recurrent(FEATURES, (2, 3), 12, depth=2, **options)
    return trained(network, CategoricalHead(12, FEATURES), symbols(), 1.5)


def pixels(**options):
    torch.manual_seed(0)
    network = PixelCNN(3, (3, 4), 8, depth=2, **options)
    return trained(network, CategoricalHead(8, 3), symbols(50, 12, 3), 0.6)


INSTANCES = {
    "a PixelCNN": pixels,
    "a PixelCNN of levels, wider": lambda: pixels(ordinal=True, kernel_size=5),
    "causal convolutions": conv,
    "causal convolutions over levels": lambda: conv(ordinal=True, kernel_size=2),
    "a GRU": recurrent,
    "an LSTM": lambda: recurrent(lstm=True),
    "a GRU of numbers": lambda: numbers_by(Recurrent),
    "NADE of numbers at steps": numbers_at_steps,
    "NADE": nade,
    "NADE of layers": lambda: nade(depth=2, ordinal=True),
    "NADE of bits": lambda: bits(NADE),
    "NADE of columns": lambda: trained(NADE(20, 5, 7, width=16), symbol_heads(7), symbols(200, 5, 2)),
    "NADE of numbers": lambda: numbers_by(NADE, width=16),
    "SparseNADE": lambda: bits(SparseNADE),
    "MADE": made,
    "MADE of one layer": lambda: made(depth=0, ordinal=True),
    "MADE of numbers": lambda: numbers_by(MADE, hidden=16),
    "an average with a net": lambda: averaged([tree(), ngrams(), nade()], weighted=True),
    "an average with a net by hindsight": lambda: by_hindsight(ngrams(), made()),
    "a Chow-Liu tree": tree,
    "a Chow-Liu tree of columns": tree_of_columns,
    "n-grams": ngrams,
    "n-grams from 2 on": lambda: ngrams((2, 4)),
    "boosted trees": trees,
    "boosted trees of a table": lambda: trees_of(NUMBERS),
    "an average": weighed,
    "an average by context": by_context,
    "an average by hindsight": lambda: by_hindsight(tree_of_columns(), trees_of([Column(size) for size in SIZES])),
    "an average of numbers": lambda: by_hindsight(trees_of(NUMBERS), trees_of(NUMBERS, 1)),
}


def rows_of(model, count=24):
    """Rows that a model draws, on its grid, the same on every machine but for what its last bits decide."""
    u = np.random.default_rng(0).random((count, model.length))
    x = model.unroll(lambda d, p: p.icdf(torch.from_numpy(u[:, d])), count).double().numpy()
    return np.round(x * 2) / 2


def layout_of(model, x, lanes=16):
    """How these rows are walked by portable arithmetic."""
    real = model.num_symbols is None and not model.head.integers if isinstance(model.head, ColumnsHead) else False
    real = real or bool(np.isnan(x).any()) or bool((x % 1 != 0).any())
    anchors = tuple(Anchor.of(column[np.isfinite(column)] // 1) for column in x.T) if real else ()
    return Layout(lanes, model.length, model.length, model.length, real=real, anchors=anchors, portable=True)
