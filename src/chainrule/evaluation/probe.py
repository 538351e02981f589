"""Representations: how well a linear classifier reads labels off the features of each layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.errors import InputError
from chainrule.models.chain import AutoregressiveModel

__all__ = ["LayerAccuracy", "pooled_features", "probe"]


@dataclass(frozen=True)
class LayerAccuracy:
    """Cross-validated accuracy of a linear probe on one layer.

    layer: number of the layer; 0 is the embedding.
    accuracy: mean accuracy over the folds.
    standard_error: standard deviation over the folds / sqrt(folds).
    """

    layer: int
    accuracy: float
    standard_error: float


def pooled_features(
    model: AutoregressiveModel, examples: Examples, layer: int, *, segments: int = 1, batch_size: int = 256
) -> npt.NDArray[np.float32]:
    """The features of a layer, averaged over equal stretches of the example, shape (N, segments * width).

    model: the model whose features are taken.
    examples: the examples, as many as there are rows in the result.
    layer: number of the layer; 0 is the embedding.
    segments: number of stretches: 1 averages over everything, 8 keep apart the rows of an 8x8 image.
    batch_size: number of examples that are read at a time.

    Elements that do not count, such as padding, are in no stretch. Raises InputError for more segments than the
    shortest example has elements.
    """
    pieces = []
    for _, batch in in_batches(examples, batch_size):
        batch = batch.to(model.device)
        shortest = int(batch.elements.min())
        if segments < 1 or segments > max(shortest, 1):
            raise InputError(f"examples of {shortest} elements have no {segments} segments; take fewer")
        h = model.features(batch, layer)
        number = batch.mask.cumsum(1) - 1  # among the elements that count
        stretch = torch.where(batch.mask, number * segments // batch.elements.clamp(min=1).unsqueeze(1), segments)
        member = nn.functional.one_hot(stretch, segments + 1)[..., :segments].to(h.dtype)
        means = (member.transpose(1, 2) @ h) / member.sum(1).clamp(min=1).unsqueeze(-1)
        pieces.append(means.flatten(1).cpu().numpy())
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

    The features are standardised inside each fold.

    model: the model whose features are taken.
    examples: N examples.
    labels: class of each example, shape (N,).
    layers: numbers of the layers, all by default.
    segments: number of stretches whose features are averaged apart, see `pooled_features`.
    folds: number of folds of the cross-validation.
    seed: seed of the folds.

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
        batch = examples.batch(np.arange(1)).to(model.device)
        layers = range(len(model.network.layers(batch.x, batch.context)))
    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    results = []
    for layer in layers:
        scores = cross_val_score(
            classifier, pooled_features(model, examples, layer, segments=segments), labels, cv=split
        )
        results.append(LayerAccuracy(layer, float(scores.mean()), float(scores.std(ddof=1) / np.sqrt(folds))))
    return results
