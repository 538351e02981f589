"""One small instance, or more, of every exported head; without one `test_every_part_has_an_instance` fails.

The key is the name of the class, and after a comma what is special about the instance.
"""

from collections.abc import Callable

import numpy as np
import torch

from chainrule.domain import Column
from chainrule.heads import (
    AdaptiveSoftmaxHead,
    AverageHead,
    BernoulliHead,
    BlendHead,
    CategoricalHead,
    ChannelChainHead,
    ColumnsHead,
    CountHead,
    DecisionsHead,
    FirstLogitsHead,
    GaussianMixtureHead,
    Head,
    HierarchicalSoftmaxHead,
    JointGaussiansHead,
    KernelsHead,
    LogisticMixtureHead,
    LogitsHead,
    MissingHead,
    RareHead,
    SampledSoftmaxHead,
    ScoresHead,
)

FEATURES = 8


def decisions(column: Column) -> DecisionsHead:
    """A head of decisions that was laid out by data: numbers of which half repeat, or symbols of unlike frequency."""
    head, noise = DecisionsHead(FEATURES, column=column, leaves=FEATURES), np.random.default_rng(0)
    if column.num_symbols is None:
        x = np.concatenate([np.zeros(60), noise.normal(size=200) * 3 + 4])
        x = x if column.resolution is None else np.rint(x / column.resolution) * column.resolution
        x = np.abs(np.rint(x)) if column.count else x
    else:
        x = noise.integers(0, column.num_symbols, 200) // (1 + noise.integers(0, 2, 200))
    head.initialise(torch.from_numpy(np.append(x, np.nan if column.missing and column.num_symbols is None else x[0])))
    return head


def laid_out(head: Head, step: float | None = 1.0, missing: bool = False) -> Head:
    """A head of numbers that was laid out by data, of which a third repeat."""
    noise = np.random.default_rng(0)
    x = np.where(noise.random(24) < 0.3, 0.0, np.abs(noise.normal(size=24)) * 20)
    x = x if step is None else np.rint(x / step) * step
    head.initialise(torch.from_numpy(np.append(x, np.nan) if missing else x))
    return head


HEADS: dict[str, Callable[[], Head]] = {
    "AdaptiveSoftmaxHead": lambda: AdaptiveSoftmaxHead(FEATURES, 5, [3, 0, 40, 1, 2]),
    "AverageHead": lambda: AverageHead([CategoricalHead(5, 5), LogisticMixtureHead(3, 5, components=2)]),
    "AverageHead, by context": lambda: AverageHead([CategoricalHead(3, 5), CategoricalHead(3, 5)], gated=True),
    "AverageHead, columns": lambda: AverageHead(
        [
            ColumnsHead(
                [
                    BernoulliHead(4),
                    CountHead(4),
                    MissingHead(CategoricalHead(4, 3)),
                    GaussianMixtureHead(4, components=2, resolution=0.1),
                    MissingHead(GaussianMixtureHead(4, components=2, resolution=0.5)),
                    MissingHead(CountHead(4)),
                ]
            )
            for _ in range(2)
        ]
    ),
    "BernoulliHead": lambda: BernoulliHead(FEATURES),
    "BlendHead": lambda: laid_out(
        BlendHead([CountHead(FEATURES), ScoresHead(FEATURES, resolution=1.0, naturals=True)])
    ),
    "CategoricalHead": lambda: CategoricalHead(FEATURES, 5),
    "CategoricalHead, soft cap": lambda: CategoricalHead(FEATURES, 5, soft_cap=3.0),
    "CategoricalHead, one symbol": lambda: CategoricalHead(FEATURES, 1),
    "ChannelChainHead": lambda: ChannelChainHead(FEATURES, 4, components=2),
    "ColumnsHead": lambda: ColumnsHead(
        [
            CategoricalHead(FEATURES, 4),
            CountHead(FEATURES),
            MissingHead(LogisticMixtureHead(FEATURES, 6, components=2)),
            GaussianMixtureHead(FEATURES, resolution=0.1),
            BernoulliHead(FEATURES),
            MissingHead(GaussianMixtureHead(FEATURES, resolution=0.5)),
        ]
    ),
    "CountHead": lambda: CountHead(FEATURES),
    "DecisionsHead": lambda: decisions(Column(5)),
    "ColumnsHead, decisions": lambda: ColumnsHead(
        [
            decisions(Column(4, missing=True)),
            decisions(Column(None, resolution=0.25)),
            decisions(Column(None, resolution=1.0, count=True)),
            decisions(Column(None)),
            decisions(Column(100, ordinal=True)),
            decisions(Column(None, resolution=0.1, missing=True)),
        ],
        mixed=True,
    ),
    "GaussianMixtureHead": lambda: GaussianMixtureHead(FEATURES, components=3),
    "GaussianMixtureHead, resolution of each element": lambda: GaussianMixtureHead(
        FEATURES, components=3, resolution=[0.1, 1.0, 0.02, 5.0, 0.25, 1e-3], length=6
    ),
    "HierarchicalSoftmaxHead": lambda: HierarchicalSoftmaxHead(FEATURES, 5, [3, 0, 40, 1, 2]),
    "FirstLogitsHead": lambda: FirstLogitsHead(FEATURES, 3),
    "JointGaussiansHead": lambda: laid_out(JointGaussiansHead(FEATURES, Column(None, resolution=1.0))),
    "KernelsHead": lambda: laid_out(KernelsHead(FEATURES, Column(None, resolution=1.0), levels=2)),
    "KernelsHead, symbols": lambda: KernelsHead(FEATURES, Column(5), levels=2),
    "LogisticMixtureHead": lambda: LogisticMixtureHead(FEATURES, 5, components=2),
    "LogitsHead": lambda: LogitsHead(FEATURES),
    "RareHead": lambda: RareHead(FEATURES, 5, frequent=2),
    "MissingHead": lambda: MissingHead(CategoricalHead(FEATURES, 4)),
    "SampledSoftmaxHead": lambda: SampledSoftmaxHead(FEATURES, 5, [3, 0, 40, 1, 2], samples=3),
    "ScoresHead": lambda: laid_out(ScoresHead(FEATURES, components=2)),
}
