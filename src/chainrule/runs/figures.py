"""The figures of a model on its data: every split scored, beside what simple models and compressors say of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from chainrule.baselines.compressors import MOST, code_lengths
from chainrule.baselines.fitted import fit_baselines
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.examples.base import Examples
from chainrule.data.examples.subset import elements_of, spread
from chainrule.evaluation.evaluate import evaluate
from chainrule.likelihood import LogLikelihood, Protocol
from chainrule.models.base import Model
from chainrule.training.engine import Engine

__all__ = ["SPLITS", "Figures", "evaluated", "figures", "protocol_of", "scored_in_part", "scored_splits"]

SPLITS = ("train", "valid", "test")
ENOUGH = 1 << 20  # elements of training data that are scored, or more where the test split has more examples


@dataclass(frozen=True)
class Figures:
    """Every split under a model and under the baselines.

    results: the model on every split that has examples.
    independent: independent elements on every split; empty where there is no such baseline.
    baselines: every baseline on the test split, as JSON.
    """

    results: dict[str, LogLikelihood]
    independent: dict[str, LogLikelihood]
    baselines: dict[str, dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """What `report.json` says of them."""
        return {
            "results": {split: likelihood.to_json() for split, likelihood in self.results.items()},
            "baselines": self.baselines,
            "independent_elements": {split: likelihood.to_json() for split, likelihood in self.independent.items()},
        }


def figures(model: Model, data: DataSet, engine: Engine) -> Figures:
    """Every split under the model and under the baselines."""
    baselines = fit_baselines(data)
    independent = _scored(baselines, data)
    results = evaluated(model, data, engine)
    return Figures(results, independent, _beside(baselines, data, results["test"]) if len(data.test) else {})


def evaluated(model: Model, data: DataSet, engine: Engine) -> dict[str, LogLikelihood]:
    """The kept weights on every split, each process scoring its part."""
    protocol = protocol_of(data)
    splits = scored_splits(data)
    return {split: engine.evaluate(model, part, protocol=protocol).likelihood for split, part in splits.items()}


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


def _scored(baselines: dict[str, Model], data: DataSet) -> dict[str, LogLikelihood]:
    """Independent elements on every split."""
    model = baselines.get("independent elements")
    if model is None:
        return {}
    protocol = protocol_of(data)
    return {split: evaluate(model, part, protocol=protocol).likelihood for split, part in scored_splits(data).items()}


def _beside(baselines: dict[str, Model], data: DataSet, model: LogLikelihood) -> dict[str, dict[str, Any]]:
    """Every baseline on the test split, and how it was had: static, or adaptive where it learns while it scores."""
    record: dict[str, dict[str, Any]] = {}
    for name, module in baselines.items():
        likelihood = evaluate(module, data.test, protocol=protocol_of(data)).likelihood
        record[name] = {"how": "static"} | likelihood.to_json()
    train, test = (data.encoding.raw(part, MOST) if model.bytes <= MOST else None for part in (data.train, data.test))
    if train is not None and test is not None:
        for name, nats in code_lengths(train, test).items():
            bits = nats / math.log(2)
            record[name] = {"how": "adaptive", "nats_per_example": nats / model.examples} | {
                "nats_per_element": nats / model.elements,
                "bits_per_dim": bits / model.dims,
                "bits_per_byte": bits / len(test),
            }
    return record
