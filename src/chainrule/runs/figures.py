"""The figures of a model on its data: every split scored, beside what simple models and compressors say of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from chainrule.baselines.compressors import MOST, code_length, compressors
from chainrule.baselines.fitted import baselines_of
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.examples.base import Examples
from chainrule.data.examples.subset import elements_of, spread
from chainrule.evaluation.evaluate import evaluate
from chainrule.likelihood import LogLikelihood, Protocol
from chainrule.models.base import Model
from chainrule.runs.estimates import share_of, short_enough
from chainrule.training.engine import Engine

__all__ = ["SPLITS", "Figures", "evaluated", "figures", "of_model", "protocol_of", "scored_in_part", "scored_splits"]

SPLITS = ("train", "valid", "test")
ENOUGH = 1 << 20  # elements of training data that are scored, or more where the test split has more examples


@dataclass(frozen=True)
class Figures:
    """Every split under a model and under the baselines.

    results: the model on every split that has examples.
    independent: independent elements on every split; empty where there is no such baseline.
    baselines: every baseline on the test split, as JSON.
    left_out: the baselines that could not be computed, each with the reason.
    estimates: the model on a random share of a split, where all of it would have taken longer than the fit.
    """

    results: dict[str, LogLikelihood]
    independent: dict[str, LogLikelihood]
    baselines: dict[str, dict[str, Any]]
    left_out: dict[str, str] = field(default_factory=dict)
    estimates: dict[str, LogLikelihood] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What `report.json` says of them."""
        return (
            {
                "baselines": self.baselines,
                "independent_elements": {split: likelihood.to_json() for split, likelihood in self.independent.items()},
            }
            | ({"baselines_left_out": self.left_out} if self.left_out else {})
            | of_model(self.results, self.estimates)
        )


def of_model(results: dict[str, LogLikelihood], estimates: dict[str, LogLikelihood]) -> dict[str, Any]:
    """What `report.json` says of the model: results of whole splits, and estimates where there are any."""
    parts = {"results": results} | ({"estimates": estimates} if estimates else {})
    return {name: {split: found.to_json() for split, found in part.items()} for name, part in parts.items()}


def figures(model: Model, data: DataSet, engine: Engine, seconds: float | None = None) -> Figures:
    """Every split under the model and under the baselines.

    model: the model with its kept weights.
    data: the data set.
    engine: the processes that share the work.
    seconds: the time of the fit; a split that takes longer is estimated. None to score all.

    The model comes first: a baseline that fails, whatever the reason, is left out and said, and costs no figure of it.
    """
    results, estimates = evaluated(model, data, engine, seconds)
    found = Figures(results, {}, {}, estimates=estimates)
    if len(data.test) and "test" not in results:
        return found  # nothing whole to stand beside
    for name, fit in baselines_of(data).items():
        with _left_out_if_it_fails(name, found):
            _add_baseline(name, fit(), data, found)
    if len(data.test):
        with _left_out_if_it_fails("compressors", found):
            _add_compressors(data, found)
    return found


@contextmanager
def _left_out_if_it_fails(name: str, found: Figures) -> Iterator[None]:
    """Inside, an error of a baseline is written down in place of its figures."""
    try:
        yield
    except Exception as error:  # of any kind: the figures of the model do not depend on it
        found.left_out[name] = " ".join(f"{type(error).__name__}: {error}".split())


def evaluated(
    model: Model, data: DataSet, engine: Engine, seconds: float | None = None
) -> tuple[dict[str, LogLikelihood], dict[str, LogLikelihood]]:
    """The kept weights on every split, each process scoring its part: results of whole splits, and estimates.

    model: the model with its kept weights.
    data: the data set.
    engine: the processes that share the work.
    seconds: the time of the fit; a split that takes longer is estimated. None to score all.
    """
    protocol = protocol_of(data)
    results: dict[str, LogLikelihood] = {}
    estimates: dict[str, LogLikelihood] = {}
    for split, part in scored_splits(data).items():
        most = None if seconds is None else short_enough(model, part, engine, seconds)
        likelihood = engine.evaluate(model, share_of(part, most), protocol=protocol).likelihood
        (results if most is None else estimates)[split] = likelihood
    return results, estimates


def scored_splits(data: DataSet) -> dict[str, Examples]:
    """The splits that have examples; of much training data `ENOUGH` elements, or as many examples as test has."""
    (count, elements), (tested, _) = elements_of(data.train), elements_of(data.test)
    enough = count if elements <= ENOUGH else max(tested, -(-count * ENOUGH // elements))
    splits = {"train": spread(data.train, enough), "valid": data.valid, "test": data.test}
    return {name: part for name, part in splits.items() if len(part)}


def scored_in_part(data: DataSet) -> str | None:
    """A sentence where only a part of the training data is scored."""
    some, every = len(scored_splits(data)["train"]), len(data.train)
    return f"of train {some:,} of {every:,} rows are scored, evenly apart" if some < every else None


def protocol_of(data: DataSet) -> Protocol:
    """How the examples of a data set are scored."""
    return data.encoding.protocol


def _add_baseline(name: str, baseline: Model, data: DataSet, found: Figures) -> None:
    """A baseline on the test split; independent elements on every split."""
    protocol = protocol_of(data)
    if name == "independent elements":
        parts = scored_splits(data)
        scores = {split: evaluate(baseline, part, protocol=protocol).likelihood for split, part in parts.items()}
        found.independent.update(scores)
        likelihood = scores.get("test")
    else:
        likelihood = evaluate(baseline, data.test, protocol=protocol).likelihood if len(data.test) else None
    if likelihood is not None:
        found.baselines[name] = {"how": "static"} | likelihood.to_json()


def _add_compressors(data: DataSet, found: Figures) -> None:
    """What compressors make of the test split after the training split; adaptive, they learn while they score."""
    model = found.results["test"]
    train, test = (data.encoding.raw(part, MOST) if model.bytes <= MOST else None for part in (data.train, data.test))
    if train is None or test is None:
        return
    for name, compress in compressors().items():
        with _left_out_if_it_fails(name, found):
            nats = code_length(compress, train, test)
            bits = nats / math.log(2)
            found.baselines[name] = {"how": "adaptive", "nats_per_example": nats / model.examples} | {
                "nats_per_element": nats / model.elements,
                "bits_per_dim": bits / model.dims,
                "bits_per_byte": bits / len(test),
            }
