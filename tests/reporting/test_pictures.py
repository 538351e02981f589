"""Pictures of a run."""

from itertools import count

from chainrule.reporting.pictures import learning_curve


def test_a_slow_machine_draws_the_learning_curve_without_a_warning(monkeypatch):
    """A legend that looks for the best place warns after a second, and warnings are errors here."""
    seconds = count(step=10)
    monkeypatch.setattr("time.perf_counter", lambda: float(next(seconds)))
    records = [{"step": n, "train_nats_per_example": 9 / n, "valid_nats_per_example": 10 / n} for n in range(1, 9)]
    assert learning_curve(records, 8, 5.0).startswith(b"\x89PNG")
