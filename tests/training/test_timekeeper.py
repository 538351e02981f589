"""A budget is kept and used, whatever the machine does: an injected clock, a planted slow start, planted load."""

import math
from itertools import pairwise

import pytest
import torch

from chainrule.training.budget import Speed, planned
from chainrule.training.checkpoint import Checkpoints
from chainrule.training.clock import Clock
from chainrule.training.decisions import Decisions
from chainrule.training.fit import Callbacks, begin, fit
from chainrule.training.schedule import Course, trapezoid
from chainrule.training.timekeeper import Timekeeper
from tests.support.small_training import TRAIN, VALID, build, fingerprint, settings

TIME = 60.0


class Machine:
    """A machine whose time a test decides.

    step: seconds of a step by the time at which it is taken.
    validation: seconds of a validation.
    """

    def __init__(self, step, validation=0.3):
        self.now, self.step, self.validation = 0.0, step, validation
        self.clock = Clock(lambda: self.now, begun=0.0)

    def keeper(self, speed, decisions=None, end=TIME, **options):
        course = Course(*planned(end - self.now, speed, options.get("evaluate_every")))
        return Timekeeper(course, decisions, clock=self.clock, begun=self.now, end=end, speed=speed, **options)

    def train(self, keeper, done=0):
        """The loop of training without training: the step after which it ended, and the share of the time."""
        last, rates = done, []
        course = keeper.look(done)
        while True:
            rates.append(trapezoid(course.position(done), course.steps, 0.05, 0.6))
            self.now += self.step(self.now)
            done += 1
            course = keeper.look(done)
            if done >= course.steps or done - last >= course.evaluate_every:
                with keeper.validating():
                    self.now += self.validation
                last = done
            if done >= course.steps:
                return done, self.now / TIME, rates


LOADS = {
    "quiet": lambda now: 0.01,
    "a slow start": lambda now: 0.05 if now < 3 else 0.01,
    "busy from half time on": lambda now: 0.01 if now < 30 else 0.03,
    "busy in the middle": lambda now: 0.03 if 20 < now < 40 else 0.01,
    "busy for the last tenth": lambda now: 0.04 if now > 54 else 0.01,
    "busy now and then": lambda now: 0.01 * (3 if math.sin(now) > 0 else 1),
    "large steps": lambda now: 1.7,
}


@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("guess", [0.3, 1.0, 5.0])
def test_the_time_is_used_and_kept(load, guess):
    """Whatever the first steps seemed to take."""
    machine = Machine(LOADS[load])
    first = guess * LOADS[load](0.0)
    steps, share, rates = machine.train(machine.keeper(Speed(first, first, 0.3)))
    assert 0.9 <= share <= 1.05
    assert rates[-1] < 0.15  # the cooldown came to its end
    assert max(abs(a - b) for a, b in pairwise(rates)) < max(0.3, 3 / (0.05 * steps))


def test_an_end_that_is_near_enough_is_left_alone():
    machine = Machine(LOADS["quiet"])
    decisions = Decisions()
    machine.train(machine.keeper(Speed(0.01, 0.01, 0.3), decisions))
    assert len(decisions.entries) <= 2


def test_one_step_is_taken_also_where_it_does_not_fit():
    machine = Machine(lambda now: 100.0, validation=0.0)
    assert machine.train(machine.keeper(Speed(100.0, 100.0, 0.0)))[0] == 1


def test_no_more_steps_than_the_data_bear():
    machine = Machine(LOADS["quiet"])
    assert machine.train(machine.keeper(Speed(0.05, 0.05, 0.3), most=700))[0] == 700


def test_the_distance_of_validations_is_kept_where_it_is_given():
    machine = Machine(LOADS["a slow start"])
    keeper = machine.keeper(Speed(0.05, 0.05, 0.3), evaluate_every=10)
    machine.train(keeper)
    assert keeper.course.evaluate_every == 10


def slow_at_first(now):
    return 4.0 if now < 20 else 0.8


def trained(decisions, machine=None, stop_at=None, place=None):
    """A real training, whose steps take the time of a machine; its state."""
    model = build()
    chosen = settings(steps=30, evaluate_every=10, patience=100)
    state = begin(model, chosen)
    checkpoints = None if place is None else Checkpoints(place, "run", every=100)
    if checkpoints is not None:
        checkpoints.restore(state)
    options = {}
    if machine is not None:
        options = {"clock": machine.clock, "begun": 0.0, "end": TIME, "speed": Speed(2.0, 2.0, 0.3)}
    keeper = Timekeeper(Course(30, 10), decisions, **options)

    def on_step(metrics):
        if machine is not None:
            machine.now += machine.step(machine.now)

    callbacks = Callbacks(on_step=on_step, stop=lambda: state.step == stop_at)
    fit(model, TRAIN, VALID, chosen, state=state, checkpoints=checkpoints, callbacks=callbacks, keeper=keeper)
    return state


def test_equal_decisions_give_equal_bits():
    torch.manual_seed(0)
    decisions = Decisions()
    first = trained(decisions, Machine(slow_at_first))
    assert len(decisions.entries) >= 2
    assert first.step != 30
    again = trained(Decisions(decisions.entries))  # no clock
    assert fingerprint(again) == fingerprint(first)


def test_interrupted_and_gone_on_with_it_takes_the_same_decisions(tmp_path):
    decisions = Decisions()
    whole = trained(decisions, Machine(slow_at_first))
    for at in (1, 4, whole.step - 3):
        known, place = Decisions(decisions.entries), tmp_path / str(at)
        assert trained(known, stop_at=at, place=place).step == at
        assert fingerprint(trained(known, place=place)) == fingerprint(whole)


def test_where_the_record_ends_the_clock_is_asked_again():
    decisions = Decisions()
    trained(decisions, Machine(slow_at_first))
    cut = Decisions(decisions.entries[:1])
    trained(cut, Machine(lambda now: 2.5))
    assert cut.entries[0] == decisions.entries[0]
    assert len(cut.entries) > 1
    closed = Decisions([*decisions.entries[:1], {"about": "end"}])
    trained(closed, Machine(lambda now: 2.5))
    assert len(closed.entries) == 2
