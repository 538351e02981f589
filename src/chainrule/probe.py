"""Representations: how well a linear classifier reads labels off the features of each layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chainrule.data.base import Examples
from chainrule.errors import InputError
from chainrule.model import AutoregressiveModel

__all__ = ["LayerAccuracy", "pooled_features", "probe"]


@dataclass(frozen=True)
class LayerAccuracy:
    """Cross-validated accuracy of a linear probe on one layer.

    layer: 0 is the embedding. accuracy: mean over the folds. standard_error: their standard deviation / sqrt(folds).
    """

    layer: int
    accuracy: float
    standard_error: float


def pooled_features(
    model: AutoregressiveModel, examples: Examples, layer: int, *, segments: int = 1, batch_size: int = 256
) -> npt.NDArray[np.float32]:
    """The features of a layer, averaged over equal stretches of the example, shape (N, segments * width).

    segments: 1 averages over everything; more keep some order, e.g. 8 for the rows of an 8x8 image.
    """
    pieces = []
    for start in range(0, len(examples), batch_size):
        batch = examples.batch(np.arange(start, min(start + batch_size, len(examples)))).to(model.device)
        h = model.features(batch, layer)
        weight = batch.mask.to(h.dtype).unsqueeze(-1)
        stretches = zip(h.chunk(segments, 1), weight.chunk(segments, 1), strict=True)
        means = [(part * w).sum(1) / w.sum(1).clamp(min=1) for part, w in stretches]
        pieces.append(np.concatenate([mean.cpu().numpy() for mean in means], 1))
    return np.concatenate(pieces)


def probe(
    model: AutoregressiveModel,
    examples: Examples,
    labels: npt.NDArray[np.int64],
    *,
    layers: Sequence[int] | None = None,
    segments: int = 1,
    folds: int = 5,
    seed: int = 0,
) -> list[LayerAccuracy]:
    """Accuracy of a multinomial logistic regression on the features of each layer, by stratified cross-validation.

    The features are standardised inside each fold. labels: one a example, shape (N,). layers: all by default.

    Alain, Bengio, *Understanding intermediate layers using linear classifier probes*, 2016.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels = np.asarray(labels)
    if labels.shape != (len(examples),):
        raise InputError(f"labels have the shape {labels.shape} for {len(examples)} examples; give one for each")
    rarest = int(np.unique(labels, return_counts=True)[1].min())
    if len(np.unique(labels)) < 2 or rarest < folds:
        raise InputError(f"{folds} folds need two classes of at least {folds} examples each, the rarest has {rarest}")
    if layers is None:
        batch = examples.batch(np.arange(1))
        layers = range(len(model.network.layers(batch.x.to(model.device), batch.context)))
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    results = []
    for layer in layers:
        scores = cross_val_score(
            classifier, pooled_features(model, examples, layer, segments=segments), labels, cv=split
        )
        results.append(LayerAccuracy(layer, float(scores.mean()), float(scores.std(ddof=1) / np.sqrt(folds))))
    return results
