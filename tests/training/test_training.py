import math

import numpy as np
import pytest
import torch

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv, InputError
from chainrule.data import ArrayExamples
from chainrule.evaluation.evaluate import evaluate
from chainrule.training.batches import batches
from chainrule.training.ema import WeightEMA
from chainrule.training.fit import Callbacks, fit
from chainrule.training.schedule import trapezoid
from chainrule.training.settings import TrainingSettings
from chainrule.training.step import TrainingDiverged


def markov(n, seed):
    """Sequences in which a symbol repeats the one before with probability 0.8: 0.50 + ... nats that can be known."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 4, (n, 6))
    for d in range(1, 6):
        stay = rng.random(n) < 0.8
        x[stay, d] = x[stay, d - 1]
    return ArrayExamples(x)


ENTROPY = math.log(4) - 5 * (0.85 * math.log(0.85) + 3 * 0.05 * math.log(0.05))  # stays 0.8 + 0.2 / 4


def build(dropout=0.0):
    torch.manual_seed(0)
    return AutoregressiveModel(CausalConv(4, 6, 16, depth=3, dropout=dropout), CategoricalHead(16, 4))


def settings(**changes):
    return TrainingSettings(**({"steps": 150, "batch_size": 64, "evaluate_every": 50, "learning_rate": 1e-2} | changes))


def test_it_learns_what_there_is_to_learn():
    model, valid = build(), markov(2000, 1)
    result = fit(model, markov(2000, 0), valid, settings(steps=300))
    nats = evaluate(model, valid).likelihood.nats_per_example
    assert nats.value < ENTROPY + 0.1 + 3 * nats.standard_error
    assert nats.value > ENTROPY - 4 * nats.standard_error
    assert nats.value == pytest.approx(result.best_valid_nats, rel=1e-6)


def test_two_runs_of_one_seed_are_the_same_bits():
    states = []
    for _ in range(2):
        model = build(dropout=0.3)
        fit(model, markov(200, 0), markov(50, 1), settings(steps=20))
        states.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert torch.equal(*states)


@pytest.mark.parametrize("microbatch", [1, 10, 64])
def test_microbatches_change_nothing_but_rounding(microbatch):
    states = []
    for size in (None, microbatch):
        model = build().double()
        fit(model, markov(200, 0), markov(50, 1), settings(steps=5, microbatch=size, ema=0.0))
        states.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
    assert (states[0] - states[1]).abs().max() < 1e-9


def test_patience_ends_and_the_best_weights_are_kept():
    model, train, valid = build(), markov(30, 0), markov(500, 1)
    kept = []
    result = fit(
        model,
        train,
        valid,
        settings(steps=2000, evaluate_every=10, patience=3, ema=0.0),
        callbacks=Callbacks(on_best=lambda m: kept.append(evaluate(m, valid).likelihood.nats_per_example.value)),
    )
    assert result.stopped == "patience"
    assert result.steps == result.best_step + 30
    assert evaluate(model, valid).likelihood.nats_per_example.value == pytest.approx(min(kept), rel=1e-9)
    assert min(kept) == min(record["valid_nats_per_example"] for record in result.validations)


def test_an_interrupt_keeps_the_best_so_far():
    def interrupt(record):
        if record["step"] == 70:
            raise KeyboardInterrupt

    model, valid = build(), markov(100, 1)
    result = fit(model, markov(200, 0), valid, settings(), callbacks=Callbacks(on_step=interrupt))
    assert (result.stopped, result.best_step) == ("interrupt", 50)
    assert evaluate(model, valid).likelihood.nats_per_example.value == pytest.approx(result.best_valid_nats, rel=1e-9)


def test_a_loss_that_is_not_finite_names_the_step():
    model = build()
    calls = 0

    class Broken(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model

        def forward(self, batch):
            nonlocal calls
            calls += 1
            return self.inner(batch) * (float("nan") if calls == 3 else 1.0)

    with pytest.raises(TrainingDiverged, match="step 3"):
        fit(Broken(), markov(200, 0), markov(50, 1), settings())


def test_an_epoch_holds_every_example_once_and_order_needs_no_state():
    examples = ArrayExamples(np.arange(10)[:, None])
    order = batches(examples, 4, seed=3)
    seen = [next(order) for _ in range(6)]
    for epoch in (0, 1):
        numbers = torch.cat([batch.x for e, batch in seen if e == epoch]).flatten()
        assert sorted(numbers.tolist()) == list(range(10))
    assert [len(batch) for _, batch in seen] == [4, 4, 2] * 2
    assert not torch.equal(seen[0][1].x, seen[3][1].x)
    later = batches(examples, 4, seed=3, first_step=4)
    for expected in seen[4:]:
        epoch, batch = next(later)
        assert epoch == expected[0]
        assert torch.equal(batch.x, expected[1].x)


def test_the_schedule_rises_stays_and_falls_to_nearly_nothing():
    rates = [trapezoid(step, 100, 0.1, 0.5) for step in range(100)]
    assert rates[0] == 0.1
    assert rates[10:50] == [1.0] * 40
    assert rates[-1] == pytest.approx(0.02)
    assert trapezoid(0, 1, 0.0, 0.0) == 1.0


def test_the_average_forgets_the_start_and_weighs_as_it_says():
    model = torch.nn.Linear(1, 1, bias=False)
    average = WeightEMA(model, 0.9)
    expected = model.weight.item()
    for t in range(50):
        with torch.no_grad():
            model.weight.fill_(float(t))
        average.update(model)
        beta = min(0.9, (1 + t) / (10 + t))
        expected = beta * expected + (1 - beta) * t
    assert average.model.weight.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "bad",
    [{"steps": 0}, {"batch_size": 0}, {"microbatch": 65}, {"learning_rate": 0.0}, {"warmup": 2.0}, {"ema": 1.0}],
    ids=lambda bad: next(iter(bad)),
)
def test_bad_settings_name_themselves(bad):
    with pytest.raises(InputError, match=next(iter(bad))):
        settings(**bad)
