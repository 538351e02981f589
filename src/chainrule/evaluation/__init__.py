"""All ways to look at ln p."""

from chainrule.evaluation.evaluate import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
