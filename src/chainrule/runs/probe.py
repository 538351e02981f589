"""`Run.probe`: how well a linear classifier reads labels off each layer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainrule.data.recognition.load import load
from chainrule.data.sources.objects import OBJECT_NAMES, Source
from chainrule.errors import InputError
from chainrule.evaluation.probe import LayerAccuracy
from chainrule.evaluation.probe import probe as probe_layers
from chainrule.runs.chosen import chosen_examples, name_of, read_labels

if TYPE_CHECKING:
    from chainrule.runs.run import Run

__all__ = ["ProbeResult", "probe"]


@dataclass(frozen=True)
class ProbeResult:
    """The accuracy of a linear classifier on each layer.

    run: the run whose representation was probed.
    examples, folds: number of examples, and of folds of the cross-validation.
    layers: one entry per layer, the embedding first.
    """

    run: str
    examples: int
    folds: int
    layers: tuple[LayerAccuracy, ...]

    @property
    def best(self) -> LayerAccuracy:
        """The layer with the highest accuracy."""
        return max(self.layers, key=lambda layer: layer.accuracy)

    def to_json(self) -> dict[str, Any]:
        """Every figure by name."""
        layers = [vars(layer) for layer in self.layers]
        return {"run": self.run, "examples": self.examples, "layers": layers, "best_layer": self.best.layer}


def probe(
    run: Run,
    source: Source | None = None,
    *,
    labels: Any = None,
    split: str = "test",
    segments: int = 1,
    folds: int = 5,
    moved_to: Path | str | None = None,
) -> ProbeResult:
    """Say how well a linear classifier reads labels off each layer: the representation that a model has learned.

    source: what to read, by default the run's own data.
    labels: one label per example, or a .npy file or a text of them, by default the labels of the run's data.
    split: of the run's own data: train, valid or test.
    segments: averages per example, such as one for each row of an image.
    folds: number of folds of the cross-validation.
    moved_to: where the run's own data are now, if they were moved; their hash is checked.
    """
    run = run.moved(moved_to)
    model = run.chain()
    examples, _ = chosen_examples(run, source, split)
    if labels is None and examples.batch(np.arange(1)).context is not None:
        raise InputError(
            "the features of a model of p(x | label) know the label; probe one of p(x), or give other --labels"
        )
    classes = _own_labels(run, source, split) if labels is None else np.asarray(read_labels(labels))
    numbered: npt.NDArray[np.int64] = np.unique(classes, return_inverse=True)[1].astype(np.int64)
    layers = probe_layers(model, examples, numbered, segments=segments, folds=folds)
    return ProbeResult(run.name, len(examples), folds, tuple(layers))


def _own_labels(run: Run, source: Source | None, split: str) -> npt.NDArray[Any]:
    """The labels that the run's data brings along."""
    if source is not None:
        raise InputError(f"{name_of(source)}: say what the labels of these examples are with --labels")
    recorded = run.config["data"]
    if recorded["name"] in OBJECT_NAMES:
        raise InputError(f"{recorded['name']}: a run on a Python object keeps no labels; give them with labels=...")
    labelled = load(run.source, **(run.data_options | {"given": "label"})).split(split)
    context = labelled.batch(np.arange(len(labelled))).context
    if context is None:
        raise InputError(f"{recorded['name']}: has no labels; give them with --labels")
    return context.numpy()
