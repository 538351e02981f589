"""The weights of an average of models: found on validation data, one each or by context."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from chainrule.batch import Array, Rows
from chainrule.data.examples.base import Examples
from chainrule.data.examples.in_batches import in_batches
from chainrule.evaluation.batch_rows import rows_at_once
from chainrule.models.base import evaluating
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.context_gate import ContextGate
from chainrule.training.hindsight_weights import hindsight_weights
from chainrule.training.simplex import simplex_weights, weights_by_kind

__all__ = ["element_kinds", "element_log_probs", "found_weights", "weights_of_divisions"]

ENOUGH = 500_000  # validation elements by which members are weighed


def found_weights(
    members: Sequence[AutoregressiveModel], valid: Examples, gate: ContextGate | None, hindsight: bool = False
) -> tuple[Tensor, Tensor]:
    """The best weights of the members, shape (K,), or, with a gate, for each kind of context, shape (kinds, K).

    With hindsight, which is for the rows of tables, their strength follows, shape (K + 1,).

    Returns them and the weight of each member on average over the elements, shape (K,).
    """
    log_prob = np.stack([_elsewhere(member, element_log_probs(member, valid)) for member in members])
    if hindsight:
        return hindsight_weights(log_prob.reshape(len(members), -1, members[0].length))
    if gate is None:
        weights = simplex_weights(log_prob)
        return weights, weights
    kind = element_kinds(gate, valid, members[0].length)
    weights = weights_by_kind(log_prob, kind, len(gate.log_weight))
    return weights, weights[torch.from_numpy(kind)].mean(0)


def weights_of_divisions(divisions: Sequence[tuple[Sequence[AutoregressiveModel], Examples]]) -> Tensor:
    """The best weights by hindsight, and their strength, shape (K + 1,), of models that were fitted several times.

    divisions: of each fit, the members and the rows of a table that were left out of it.
    """
    parts = [
        np.stack([_elsewhere(m, element_log_probs(m, left_out)).reshape(-1, m.length) for m in members])
        for members, left_out in divisions
    ]
    return hindsight_weights(np.concatenate(parts, 1))[0]


def _elsewhere(member: AutoregressiveModel, log_prob: Array) -> Array:
    """What ln p of validation elements would be elsewhere: less by one nat, in all, for each choice by these elements.

    So many nats are what a number gains, on average, that is fitted to the data by which it is judged (Akaike 1974).
    """
    return log_prob - member.network.choices / max(1, len(log_prob))


def element_log_probs(model: AutoregressiveModel, examples: Examples) -> Array:
    """ln p of the scored elements, in order, float64, shape (N,); of rows evenly apart where they are very many."""
    parts, rows = [], _rows(examples, model.length)
    with evaluating(model):
        for _, batch in in_batches(examples, rows_at_once(examples, model.device), rows):
            batch = batch.to(model.device)
            parts.append(model.element_log_prob(batch)[batch.mask].double().cpu().numpy())
    return np.concatenate(parts) if parts else np.zeros(0)


def element_kinds(gate: ContextGate, examples: Examples, length: int) -> Rows:
    """The kind of the context of these elements, shape (N,); length: the most elements of a row."""
    parts, device = [], gate.log_weight.device
    with torch.no_grad():
        for _, batch in in_batches(examples, rows_at_once(examples, device), _rows(examples, length)):
            batch = batch.to(device)
            parts.append(gate.kind(gate.before(batch.x)[batch.mask]).cpu().numpy())
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def _rows(examples: Examples, length: int) -> Rows:
    """The rows that are read: all of them, or some evenly apart."""
    return np.arange(0, len(examples), max(1, len(examples) * length // ENOUGH))
