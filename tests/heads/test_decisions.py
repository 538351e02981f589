"""Decisions: the path to a value, and what is found in the data."""

import numpy as np
import torch

from chainrule.domain import Column
from chainrule.heads import DecisionsHead
from chainrule.heads.bisection import bisected


def test_the_answers_lead_to_the_probability():
    """ln p(x) is the sum of the answers' log-probabilities, times what is inside the leaf, for every kind of column."""
    noise = np.random.default_rng(0)
    reals = np.rint(noise.normal(size=500) * 8) / 4
    counts = np.floor(np.exp(noise.normal(size=500) * 2))
    names = noise.integers(0, 60, 500).astype(float)
    for column, values in (
        (Column(None, resolution=0.25, missing=True), np.append(reals, [np.nan] * 50)),
        (Column(None, resolution=1.0, count=True), counts),
        (Column(60), names),
        (Column(5, ordinal=True), names % 5),
    ):
        head = DecisionsHead(32, column=column, leaves=16)
        x = torch.from_numpy(values)
        head.initialise(x)
        h = torch.randn(len(x), 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        answers = head.decisions(0, x)
        path = torch.nn.functional.logsigmoid(answers * h)
        reached = torch.where(answers == 0, 0.0, path).sum(1)
        inside = torch.zeros(len(x), dtype=torch.float64)
        present = ~x.isnan()
        if head.numbers is not None:
            inside[present] = head.numbers.log_prob(x[present])
        else:
            inside = head.log_within[x.long()]
        scored = head(h).log_prob(x.long() if column.num_symbols else x)
        assert torch.allclose(scored, reached + inside, atol=1e-10)


def test_zeros_are_a_leaf_of_their_own():
    head = DecisionsHead(32, column=Column(None, resolution=1.0, count=True))
    head.initialise(torch.tensor([0.0] * 700 + [5.0, 6.0, 7.0] * 100))
    assert head.decisions(0, torch.tensor([0.0, 5.0]))[:, 0].tolist() == [-1, 1]


def test_values_that_repeat_have_mass_of_their_own():
    """Numbers recorded at a grain coarser than the resolution cost what their few values cost."""
    x = torch.from_numpy(np.random.default_rng(0).integers(0, 40, 2000) * 1.0)
    coarse, fine = (DecisionsHead(31, column=Column(None, resolution=step)) for step in (1.0, 1e-4))
    for head in (coarse, fine):
        head.initialise(x)
    even = torch.zeros(len(x), 31)
    nats = [-float(head(even).log_prob(x).mean()) for head in (coarse, fine)]
    assert nats[1] < nats[0] + 0.1


def test_what_never_repeats_is_smooth():
    x = torch.from_numpy(np.rint(np.random.default_rng(0).normal(size=2000) * 1e6) / 1e6)
    head = DecisionsHead(31, column=Column(None, resolution=1e-6))
    head.initialise(x)
    assert float(head.numbers.share.max()) < 0.01


def test_far_outside_of_what_was_seen_there_is_mass():
    head = DecisionsHead(31, column=Column(None, resolution=0.1))
    head.initialise(torch.arange(100) / 10)
    far = head(torch.zeros(3, 31)).log_prob(torch.tensor([-1e9, 1e9, 1e12], dtype=torch.float64))
    assert bool(far.isfinite().all())


def test_bisection_of_one_value_asks_nothing():
    tree = bisected(np.array([5]), 8)
    assert (tree.starts.tolist(), tree.signs.shape) == ([0], (0, 1))
