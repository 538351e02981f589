"""Boosting: our tensors say what LightGBM says, fitting is deterministic and can be resumed."""

import numpy as np
import pytest
import torch

from chainrule.baselines.chow_liu import ChowLiuTree
from chainrule.config.registry import build_model
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.domain import Column, Domain
from chainrule.errors import InputError
from chainrule.evaluation.evaluate import evaluate
from chainrule.training.allowance import Allowance
from chainrule.training.boosting import Boosting
from chainrule.training.checkpoint import Checkpoints
from chainrule.training.clock import Clock
from chainrule.training.decisions import Decisions
from chainrule.training.fitted import fit_parts, fitting_of
from chainrule.training.lightgbm_trees import Settings, boost, grown, layout
from chainrule.training.stumps import boosted_stumps

ROWS = 400


def bits(length=5, seed=0):
    """Rows of bits, each like the one before it nine times of ten."""
    noise = np.random.default_rng(seed)
    x = [noise.integers(0, 2, ROWS)]
    for _ in range(length - 1):
        x.append(np.where(noise.random(ROWS) < 0.9, x[-1], 1 - x[-1]))
    return ArrayExamples(np.stack(x, 1))


def mixed(seed=0):
    """A real number, a count that follows it, a name, and a number that may be missing."""
    noise = np.random.default_rng(seed)
    real = np.rint(noise.normal(size=ROWS) * 10) / 10
    count = np.floor(np.exp(real.clip(-2, 2) + 1))
    name = noise.integers(0, 4, ROWS)
    optional = np.where(noise.random(ROWS) < 0.3, np.nan, real * 2)
    return ArrayExamples(np.stack([real, count, name, optional], 1))


COLUMNS = (
    Column(None, resolution=0.1),
    Column(None, resolution=1.0, count=True),
    Column(4),
    Column(None, resolution=0.2, missing=True),
)
BITS, MIXED = Domain((5,), 2), Domain((4,), None, columns=COLUMNS)


def new(domain, examples, **options):
    head = {"name": "columns"} if domain.columns else {"name": "decisions"}
    model = build_model({"network": {"name": "boosted_trees"} | options, "head": head}, domain)
    model.initialise(examples.batch(np.arange(ROWS)).x)
    return model


def fitted(domain, train, valid, seed=0):
    model = new(domain, train)
    assert fit_parts(fitting_of(model, train, valid, seed))
    return model


def test_what_depends_on_the_elements_before_is_found():
    model = fitted(BITS, bits(), bits(seed=1))
    nats = -float(model.log_prob(bits(seed=2).batch(np.arange(ROWS))).mean())
    truth = np.log(2) + 4 * -(0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    assert nats < truth + 0.15


def test_numbers_names_and_missing_values():
    train, valid, test = (mixed(seed) for seed in range(3))
    model = fitted(MIXED, train, valid)
    nats = -model.element_log_prob(test.batch(np.arange(ROWS))).mean(0)
    assert nats[1] < 0.5  # a function of the first column
    assert nats[3] < 2.0  # of which 0.6 for whether it is missing; alone it would cost 3


def test_the_tensors_say_what_lightgbm_says():
    import lightgbm

    noise = np.random.default_rng(0)
    x = np.concatenate([noise.normal(size=(500, 3)), noise.integers(0, 5, (500, 2))], 1)
    y = (x[:, 0] + x[:, 3] + noise.normal(size=500) > 2).astype(np.float32)
    settings = Settings(40, 50, 0.1, 12, 3, 2.0, 0.7, 0.8)
    booster = grown((x[:400], y[:400]), (x[400:], y[400:]), settings)
    assert isinstance(booster, lightgbm.Booster)
    model = new(Domain((6,), None, columns=(Column(None, resolution=1.0),) * 6), ArrayExamples(np.zeros((ROWS, 6))))
    boosting = Boosting(model, ArrayExamples(np.zeros((9, 6))), ArrayExamples(np.zeros((9, 6))))
    boosting._keep(5, 0, boost((x[:400], y[:400]), (x[400:], y[400:]), settings).trees, np.ones(1))
    boosting.load_into_network()
    rows = torch.from_numpy(np.concatenate([x, np.zeros((500, 1))], 1))
    ours = model.network(rows)[:, 5, 0].double().numpy()
    theirs = booster.predict(x, raw_score=True, num_iteration=booster.best_iteration)
    assert np.abs(np.logaddexp(0, ours) - np.logaddexp(0, theirs)).max() < 1e-5


def test_known_inputs_are_resolved():
    noise = np.random.default_rng(0)
    x = np.concatenate([noise.normal(size=(400, 1)), noise.integers(0, 2, (400, 1))], 1)
    y = ((x[:, 0] > 0) == (x[:, 1] > 0)).astype(np.float32)
    trees = boost((x, y), (x, y), Settings(20, 50, 0.3, 6, 3, 0.0, 1.0, 1.0)).trees
    for known in (0.0, 1.0):
        feature, _, kept, _ = layout(trees[0], np.array([known]), 1, 6)
        assert not feature.any()  # only the first input is left
        assert (kept != -1).any()


@pytest.mark.parametrize(("domain", "data"), [(BITS, bits), (MIXED, mixed)], ids=["bits", "mixed"])
def test_the_same_seed_gives_the_same_trees(domain, data):
    one, two, other = (fitted(domain, data(), data(seed=1), seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not all(one[name].shape == other[name].shape and torch.equal(one[name], other[name]) for name in one)


def test_fitting_that_was_interrupted_goes_on_to_the_same_trees(tmp_path):
    train, valid = mixed(), mixed(seed=1)
    first = fitting_of(new(MIXED, train), train, valid, 0)
    assert not fit_parts(first, Checkpoints(tmp_path, "run"), stop=lambda: first.step == 2)
    model = new(MIXED, train)
    second = fitting_of(model, train, valid, 0)
    assert Checkpoints(tmp_path, "run").restore(second) == 2
    assert fit_parts(second)
    whole = fitted(MIXED, train, valid).state_dict()
    assert all(torch.equal(whole[name], value) for name, value in model.state_dict().items())


def test_a_state_of_other_elements_is_refused():
    fitting = fitting_of(new(BITS, bits()), bits(), bits(seed=1), 0)
    fitting.fit_next()
    fitting.fit_next()
    state = fitting.state_dict()
    state["trees"]["feature"] = state["trees"]["feature"] + 3
    with pytest.raises(InputError, match="not before its own"):
        fitting_of(new(BITS, bits()), bits(), bits(seed=1), 0).load_state_dict(state)


def test_columns_that_never_change_and_few_rows():
    x = np.zeros((20, 3), dtype=np.int64)
    x[:3, 2] = 1
    train = ArrayExamples(x)
    model = build_model({"network": {"name": "boosted_trees"}, "head": {"name": "decisions"}}, Domain((3,), 2))
    model.initialise(torch.from_numpy(x))
    assert fit_parts(fitting_of(model, train, train, 0))
    p = model.log_prob(train.batch(np.arange(20))).exp()
    assert float(p[-1]) > 0.6
    assert bool(p.isfinite().all())


class Times:
    """A clock that a test moves on with every look at it."""

    def __init__(self, per_look):
        self.now, self.per_look = 0.0, per_look

    def __call__(self):
        self.now += self.per_look
        return self.now


def within(seconds, per_look, train, valid, decisions=None, domain=BITS):
    """Trees that are fitted in a time, and the decisions."""
    decisions = Decisions() if decisions is None else decisions
    clock = Clock(Times(per_look), begun=0.0)
    model = new(domain, train)
    assert fit_parts(fitting_of(model, train, valid, 0, Allowance(decisions, clock, seconds)))
    return model, decisions


def nats(model, examples):
    return evaluate(model, examples).likelihood.nats_per_example.value


@pytest.mark.parametrize("domain", [BITS, MIXED])
def test_with_enough_time_the_trees_are_those_without_a_limit(domain):
    train, valid = (bits(), bits(seed=1)) if domain is BITS else (mixed(), mixed(1))
    whole = fitted(domain, train, valid).state_dict()
    model, decisions = within(1e9, 1.0, train, valid, domain=domain)
    assert all(torch.equal(value, whole[name]) for name, value in model.state_dict().items())
    assert {entry["about"] for entry in decisions.entries} == {"stumps", "trees"}


@pytest.mark.parametrize("domain", [BITS, MIXED])
def test_in_the_shortest_time_stumps_say_most_of_it(domain):
    train, valid = (bits(), bits(seed=1)) if domain is BITS else (mixed(), mixed(1))
    none = nats(new(domain, train), valid)
    short, decisions = within(10.0, 4.0, train, valid, domain=domain)
    whole = fitted(domain, train, valid)
    trees = [entry for entry in decisions.entries if entry["about"] == "trees"]
    assert all(end == 0 for entry in trees for end in entry["rounds"])
    assert nats(short, valid) < none - 0.5 * (none - nats(whole, valid))


@pytest.mark.parametrize(("seconds", "per_look"), [(10.0, 4.0), (200.0, 1.0), (600.0, 1.0)])
def test_equal_decisions_give_equal_trees(seconds, per_look):
    train, valid = mixed(), mixed(1)
    first, decisions = within(seconds, per_look, train, valid, domain=MIXED)
    again, _ = within(0.0, 1e6, train, valid, Decisions([*decisions.entries, {"about": "end"}]), MIXED)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in first.state_dict().items())


def test_stumps_find_what_a_tree_of_pairs_finds():
    """Rows of which each element follows the one before it: the pairs are all there is."""
    train, valid = bits(8), bits(8, seed=1)
    x, y = train.batch(np.arange(ROWS)).x.numpy(), valid.batch(np.arange(ROWS)).x.numpy()
    stumps = boosted_stumps(x, 2 * x - 1, (y, 2 * y - 1), np.arange(8))
    tree = ChowLiuTree.fit(train, 2)
    assert stumps.loss.sum() < nats(tree, valid) + 0.02
    assert all(j < t for t, added in enumerate(stumps.added) for j, *_ in added)
