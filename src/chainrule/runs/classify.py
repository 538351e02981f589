"""`Run.classify`: which class an example is of, by Bayes from a model of p(x | label)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chainrule.data.sources.objects import Source
from chainrule.errors import InputError
from chainrule.evaluation.classify import Classification, class_prior
from chainrule.evaluation.classify import classify as classify_examples
from chainrule.runs.chosen import chosen_examples
from chainrule.runs.progress import Progress, silent

if TYPE_CHECKING:
    from chainrule.runs.run import Run

__all__ = ["ClassificationResult", "classify"]


@dataclass(frozen=True, eq=False)
class ClassificationResult:
    """The class of each example, by Bayes and by the training split's shares of the classes alone.

    run, data: what was classified by which run.
    classes: the names of the classes.
    by_model: p(y | x) of every example.
    by_prior: p(y) of every example, which knows nothing of x.
    """

    run: str
    data: str
    classes: tuple[str, ...]
    by_model: Classification
    by_prior: Classification

    def __len__(self) -> int:
        return len(self.by_model.labels)

    @property
    def predicted(self) -> list[str]:
        """The most probable class of each example."""
        return [self.classes[k] for k in self.by_model.log_posterior.argmax(1)]

    def to_json(self) -> dict[str, Any]:
        """Every figure by name, and the most probable class of each example."""
        nats = self.by_model.likelihood.to_json()
        return {
            "run": self.run,
            "data": self.data,
            "examples": len(self),
            "accuracy": self.by_model.accuracy.value,
            "accuracy_se": self.by_model.accuracy.standard_error,
            "accuracy_of_prior": self.by_prior.accuracy.value,
            "nats_per_label": nats["nats_per_example"],
            "nats_per_label_se": nats["nats_per_example_se"],
            "impossible": nats["impossible"],
            "classes": list(self.classes),
            "predicted": self.predicted,
        }


def classify(
    run: Run,
    source: Source | None = None,
    *,
    split: str = "test",
    moved_to: Path | str | None = None,
    batch_size: int | None = None,
    progress: Progress = silent,
) -> ClassificationResult:
    """Say which class each example is of, by Bayes from a model that was fitted with --given label.

    source: what to classify, by default the run's own data.
    split: of the run's own data: train, valid or test.
    moved_to: where the run's own data are now, if they were moved; their hash is checked.
    batch_size: examples that are scored at once, a matter of speed only.
    progress: shows how far it is.

    p(y) is the share of each class in the training split.
    """
    run = run.moved(moved_to)
    conditions = run.encoding().conditions
    names = None if conditions is None else conditions.class_names
    if names is None:
        if conditions is not None:
            raise InputError(
                f"{run.name}: is of p(x | {conditions.description}), and columns of a table are no classes here; "
                "for tables take ARMClassifier"
            )
        raise InputError(
            f"{run.name}: p(y | x) needs a model of p(x | label); make one with `chainrule fit --given label`, of an "
            "array or of images that come with labels"
        )
    examples, name = chosen_examples(run, source, split)
    prior = class_prior(run.data().train, len(names))
    with progress("classifying", len(examples)) as update:
        found = classify_examples(run.chain(), examples, prior, batch_size=batch_size, progress=update)
    blind = Classification(prior.log().expand(len(examples), -1).numpy(), found.labels)
    return ClassificationResult(run.name, name, names, found, blind)
