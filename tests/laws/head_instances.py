"""One small instance, or more, of every exported head; without one `test_every_part_has_an_instance` fails.

The key is the name of the class, and after a comma what is special about the instance.
"""

from collections.abc import Callable

from chainrule.heads import BernoulliHead, CategoricalHead, Head

FEATURES = 8

HEADS: dict[str, Callable[[], Head]] = {
    "BernoulliHead": lambda: BernoulliHead(FEATURES),
    "CategoricalHead": lambda: CategoricalHead(FEATURES, 5),
    "CategoricalHead, one symbol": lambda: CategoricalHead(FEATURES, 1),
}
