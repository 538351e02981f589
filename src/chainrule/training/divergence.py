"""A loss that is NaN or infinite: training ends, says where it happened, and leaves a sound state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from chainrule.batch import Batch
from chainrule.data.examples.base import Examples
from chainrule.training.batches import position_of
from chainrule.training.checkpoint import Checkpoints
from chainrule.training.nonfinite import first_not_finite
from chainrule.training.objective import Objective
from chainrule.training.settings import TrainingSettings
from chainrule.training.state import TrainingState, random_state, set_random_state
from chainrule.training.step import TrainingDiverged

__all__ = ["diagnosing_divergence", "save_if_finite"]


@contextmanager
def diagnosing_divergence(
    state: TrainingState,
    batch: Batch,
    train: Examples,
    objective: Objective,
    settings: TrainingSettings,
    checkpoints: Checkpoints | None,
) -> Iterator[None]:
    """Inside, one step is taken; if it diverges, the error names batch and module, and the state before it is saved.

    The weights have not moved then, so the batch can be run again from the random state before. What is saved has
    finite weights: if those of the last step are not, the checkpoint before stays the last.
    """
    before = random_state()
    try:
        yield
    except TrainingDiverged as error:
        set_random_state(before)
        epoch, position, count = position_of(train, settings.batch_size, settings.seed, state.step)
        device = next(state.model.parameters()).device
        size = settings.microbatch if isinstance(settings.microbatch, int) else settings.batch_size
        microbatches = batch.to(device).split(size)
        total = objective.count(microbatches)

        def loss(microbatch: Batch) -> Tensor:
            log_prob, penalty = state.forward(microbatch)
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


def save_if_finite(state: TrainingState, checkpoints: Checkpoints) -> None:
    """Save a checkpoint, unless a weight is NaN or infinite: then training has diverged, and the one before stays."""
    if (name := state.not_finite()) is not None:
        raise TrainingDiverged(
            f"after step {state.step} the weight {name} is not finite; "
            f"lower the learning rate; the last good state is {checkpoints.last() or 'the beginning'}"
        )
    checkpoints.save(state)
