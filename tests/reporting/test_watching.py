"""What is seen of a run: its records, its samples, and where a loss stopped being a number."""

import builtins
import json

import numpy as np
import pytest
import torch
from torch import nn

from chainrule.cli.app import main
from chainrule.data import ArrayExamples
from chainrule.errors import InputError
from chainrule.reporting.console import training_line
from chainrule.reporting.loggers import TensorBoard
from chainrule.training.checkpoint import Checkpoints
from chainrule.training.fit import Callbacks, begin, fit
from chainrule.training.nonfinite import first_not_finite
from chainrule.training.step import TrainingDiverged
from tests.support.small_training import TRAIN, VALID, build, fingerprint, settings, stop_after, train

# --- a loss that is no number -------------------------------------------------------------------------------------


def diverging(place, spoil, at=5, model=None, data=TRAIN):
    """Train, and spoil the model once `at` steps are taken; the error's text."""
    model = model or build()
    state = begin(model, settings(patience=1000))
    checkpoints = Checkpoints(place, "run", 2, 3)

    def on_step(record):
        if record["step"] == at:
            with torch.no_grad():
                spoil(model)

    with pytest.raises(TrainingDiverged) as caught:
        fit(model, data, VALID, settings(), state=state, checkpoints=checkpoints, callbacks=Callbacks(on_step=on_step))
    assert "\n" not in str(caught.value)
    return state, checkpoints, str(caught.value)


def test_a_weight_that_is_no_number_is_named_with_step_and_batch(tmp_path):
    name = "network.blocks.1.taps.weight"

    def spoil(model):
        dict(model.named_parameters())[name].view(-1)[0] = float("nan")

    _, checkpoints, message = diverging(tmp_path, spoil)
    assert "at step 6" in message
    assert "epoch 0, batch 6 of 7" in message
    assert f"not finite: the weight {name}" in message
    assert f"the last good state is {tmp_path / 'step-00000003'}" in message
    assert checkpoints.steps() == [3]  # the spoilt state is not saved


class Fragile(nn.Module):
    """Is no number where an element of the batch is 3, in the forward or in the backward pass."""

    def __init__(self, forward):
        super().__init__()
        self.is_forward = forward

    def forward(self, h):
        return h * float("nan") if self.is_forward else (h * 0).sqrt() + h


class Poisoned(nn.Module):
    """A model of which a part breaks on batches that hold a certain example."""

    def __init__(self, forward):
        super().__init__()
        self.inner, self.part = build(), Fragile(forward)

    def forward(self, batch):
        log_prob = self.inner(batch)
        return self.part(log_prob) if bool((batch.x[:, 0] == 3).all(0)) else log_prob


@pytest.mark.parametrize("forward", [True, False])
def test_a_batch_that_breaks_a_module_is_named_and_the_state_before_is_saved(forward, tmp_path):
    x = TRAIN.x.copy()
    x[:, 0] = 0
    first = Poisoned(forward)
    state = begin(first, settings())
    fit(first, ArrayExamples(x), VALID, settings(), state=state, callbacks=Callbacks(stop=stop_after(4)))
    expected = state.ema.model.state_dict()

    def poison(model):
        x[:, 0] = 3  # what the fifth batch will hold

    state, checkpoints, message = diverging(tmp_path, poison, at=4, model=Poisoned(forward), data=ArrayExamples(x))
    assert "at step 5" in message
    assert "epoch 0, batch 5 of 7" in message
    what = "the output of part (Fragile)" if forward else "the gradient at the output of inner (AutoregressiveModel)"
    assert f"not finite: {what}" in message
    assert checkpoints.steps() == [3, 4]
    fresh = begin(Poisoned(forward), settings())
    assert Checkpoints(tmp_path, "run").restore(fresh) == 4
    for name, weight in fresh.ema.model.state_dict().items():
        assert torch.equal(weight, expected[name])
    assert fresh.not_finite() is None
    assert all(parameter.grad is None for parameter in state.model.parameters())


def test_minus_infinity_is_named_only_where_nothing_worse_is():
    class Forbids(nn.Module):
        def forward(self, x):
            return x.masked_fill(x < 0, -float("inf"))

    def named(second):
        model = nn.Sequential(Forbids(), second)
        return first_not_finite(
            model, lambda x: model(x).exp().sum(), [torch.tensor([[-1.0, 2.0]], requires_grad=True)]
        )

    class Breaks(nn.Module):
        def forward(self, x):
            return x * 0

    assert named(nn.Identity()) == "the output of 0 (Forbids)"
    assert named(Breaks()) == "the output of 1 (Breaks)"


def test_weights_that_broke_in_the_last_step_are_not_saved(tmp_path):
    def spoil(model):
        next(model.parameters()).view(-1)[0] = float("inf")

    _, checkpoints, message = diverging(tmp_path, spoil, at=6)  # a checkpoint is due right after
    assert "after step 6 the weight" in message
    assert checkpoints.steps() == [3]


# --- records --------------------------------------------------------------------------------------------------------


def test_every_record_holds_what_a_person_wants_to_see(tmp_path):
    steps = []
    _, fitted = train(tmp_path, settings(), on_step=steps.append)
    assert len(steps) == 12
    for record in [*steps, *fitted.validations]:
        assert {"step", "epoch", "learning_rate", "gradient_norm"} <= set(record)
        assert record["train_bits_per_dim"] == pytest.approx(record["train_nats_per_example"] / np.log(2) / 6)
        assert record["elements_per_second"] == pytest.approx(6 * record["examples_per_second"])
        assert 0 <= record["waiting_share"] <= 1
        assert "waiting for data" in training_line(record)


def test_waiting_for_data_is_seen(tmp_path):
    from time import sleep

    class Slow(ArrayExamples):
        def batch(self, rows):
            sleep(0.02)
            return super().batch(rows)

    steps = []
    train(tmp_path, settings(steps=4), data=(Slow(TRAIN.x), VALID), on_step=steps.append)
    seconds = 4 * 8 / steps[-1]["examples_per_second"]
    assert 4 * 0.02 <= steps[-1]["waiting_share"] * seconds <= seconds


def test_tensorboard_is_named_where_it_is_missing(tmp_path, monkeypatch):
    imported = builtins.__import__

    def without(name, *arguments, **more):
        if name.startswith(("tensorboard", "torch.utils.tensorboard")):
            raise ImportError(name)
        return imported(name, *arguments, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InputError, match=r"chainrule\[tensorboard\]"):
        TensorBoard(tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_has_the_numbers(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = TensorBoard(tmp_path)
    board.log({"step": 3, "nats": 1.5})
    board.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("nats")] == [(3, 1.5)]


# --- samples --------------------------------------------------------------------------------------------------------


def test_samples_while_training_change_nothing_in_training(tmp_path):
    drawn = []
    plain, _ = train(tmp_path / "plain", settings())
    watched, _ = train(
        tmp_path / "watched",
        settings(sample_every=4),
        on_sample=lambda model, step: drawn.append((step, model.sample(2, seed=0).x.shape)),
    )
    assert drawn == [(step, (2, 6)) for step in (4, 8, 12)]
    assert fingerprint(watched) == fingerprint(plain)


def test_samples_are_written_at_the_pace_asked_for(tmp_path):
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).integers(0, 3, (60, 5)))
    quick = ["--width", "4", "--network", "causal_conv", "--depth", "1", "--steps", "6", "--sample-every", "2"]
    assert main(["fit", str(tmp_path / "rows.npy"), "--out", str(tmp_path / "run"), *quick]) == 0
    written = {path.name for path in (tmp_path / "run").glob("samples-step-*")}
    assert written == {f"samples-step-{step}.json" for step in (2, 4, 6)}
    shapes = {np.shape(json.loads((tmp_path / "run" / name).read_text())) for name in written}
    assert shapes == {(4, 5)}
