"""One small instance, or more, of every exported head; without one `test_every_part_has_an_instance` fails.

The key is the name of the class, and after a comma what is special about the instance.
"""

from collections.abc import Callable

from chainrule.heads import (
    AdaptiveSoftmaxHead,
    AverageHead,
    BernoulliHead,
    CategoricalHead,
    ChannelChainHead,
    ColumnsHead,
    CountHead,
    GaussianMixtureHead,
    Head,
    HierarchicalSoftmaxHead,
    LogisticMixtureHead,
    LogitsHead,
    MissingHead,
    RareHead,
    SampledSoftmaxHead,
)

FEATURES = 8

HEADS: dict[str, Callable[[], Head]] = {
    "AdaptiveSoftmaxHead": lambda: AdaptiveSoftmaxHead(FEATURES, 5, [3, 0, 40, 1, 2]),
    "AverageHead": lambda: AverageHead([CategoricalHead(5, 5), LogisticMixtureHead(3, 5, components=2)]),
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
    "GaussianMixtureHead": lambda: GaussianMixtureHead(FEATURES, components=3),
    "GaussianMixtureHead, resolution of each element": lambda: GaussianMixtureHead(
        FEATURES, components=3, resolution=[0.1, 1.0, 0.02, 5.0, 0.25, 1e-3], length=6
    ),
    "HierarchicalSoftmaxHead": lambda: HierarchicalSoftmaxHead(FEATURES, 5, [3, 0, 40, 1, 2]),
    "LogisticMixtureHead": lambda: LogisticMixtureHead(FEATURES, 5, components=2),
    "LogitsHead": lambda: LogitsHead(FEATURES),
    "RareHead": lambda: RareHead(FEATURES, 5, frequent=2),
    "MissingHead": lambda: MissingHead(CategoricalHead(FEATURES, 4)),
    "SampledSoftmaxHead": lambda: SampledSoftmaxHead(FEATURES, 5, [3, 0, 40, 1, 2], samples=3),
}
