"""A loss that is no number any more: training ends, says where it happened, and leaves a state that is sound."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from chainrule.batch import Batch
from chainrule.data.examples.base import Examples
from chainrule.training.batches import place
from chainrule.training.checkpoint import Checkpoints
from chainrule.training.nonfinite import first_not_finite
from chainrule.training.objective import Objective
from chainrule.training.settings import TrainingSettings
from chainrule.training.state import TrainingState, random_state, set_random_state
from chainrule.training.step import TrainingDiverged

__all__ = ["explaining", "save_finite"]


@contextmanager
def explaining(
    state: TrainingState,
    batch: Batch,
    train: Examples,
    objective: Objective,
    settings: TrainingSettings,
    checkpoints: Checkpoints | None,
) -> Iterator[None]:
    """Take one step inside; should it diverge, the error names batch and module, and the state before it is saved.

    The weights have not moved then, so the batch can be run again from the random state before. What is saved has
    finite weights: if those of the last step are not, the checkpoint before stays the last.
    """
    before = random_state()
    try:
        yield
    except TrainingDiverged as error:
        set_random_state(before)
        epoch, position, count = place(train, settings.batch_size, settings.seed, state.step)
        device = next(state.model.parameters()).device
        size = settings.microbatch if isinstance(settings.microbatch, int) else settings.batch_size
        microbatches = batch.to(device).split(size)
        total = objective.count(microbatches)

        def loss(microbatch: Batch) -> Tensor:
            log_prob, penalty = state.climb(microbatch)
            return objective.loss(log_prob - penalty, total)

        culprit = first_not_finite(state.model, loss, microbatches)
        set_random_state(before)
        saved = ""
        if checkpoints is not None:
            if state.not_finite() is None:
                checkpoints.save(state)
            saved = f"; the last good state is {checkpoints.last() or 'the beginning'}"
        raise TrainingDiverged(
            f"{error} (epoch {epoch}, batch {position + 1} of {count}; not finite: {culprit}{saved})"
        ) from None


def save_finite(state: TrainingState, checkpoints: Checkpoints) -> None:
    """Save a checkpoint, unless a weight is no number: then training has diverged, and the one before stays."""
    if (name := state.not_finite()) is not None:
        raise TrainingDiverged(
            f"after step {state.step} the weight {name} is not finite; "
            f"lower the learning rate; the last good state is {checkpoints.last() or 'the beginning'}"
        )
    checkpoints.save(state)
