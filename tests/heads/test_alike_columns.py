"""Columns that training reads at once have the ln p, and the gradients, that they have one by one."""

from copy import deepcopy

import numpy as np
import pytest
import torch

from chainrule.config.registry import _column_heads
from chainrule.domain import Column, Domain
from chainrule.errors import InputError
from chainrule.heads.columns import ColumnsHead
from chainrule.heads.known_marginals import KnownMarginals
from chainrule.heads.marginal import Marginal

H = 6
COLUMNS = {
    "densities": [Column(None)] * 4,
    "masses of different steps": [Column(None, resolution=0.5), Column(None, resolution=0.25)] * 2,
    "levels": [Column(17, ordinal=True)] * 3,
    "all sorts": [
        Column(None, resolution=0.5),
        Column(3),
        Column(17, ordinal=True),
        Column(None, resolution=1.0, missing=True),
        Column(None, resolution=0.25),
        Column(None, resolution=1.0, count=True),
        Column(17, ordinal=True),
    ],
}


def made(columns, rows=40):
    generator = np.random.default_rng(0)
    cells = []
    for column in columns:
        if column.num_symbols is not None:
            cells.append(generator.integers(0, column.num_symbols, rows).astype(float))
        else:
            x = generator.normal(size=rows) ** 2
            cells.append(x if column.resolution is None else np.round(x / column.resolution) * column.resolution)
    x = torch.from_numpy(np.stack(cells, 1))
    torch.manual_seed(0)
    head = ColumnsHead(_column_heads(Domain((len(columns),), None, columns=tuple(columns)), H, "blend"), mixed=True)
    head.initialise(x)
    return head, x


@pytest.mark.parametrize("name", COLUMNS)
def test_ln_p_and_gradients_are_those_of_column_by_column(name):
    head, x = made(COLUMNS[name])
    assert sum(len(columns) for columns, _ in head.groups) >= 3
    found = {}
    for training in (True, False):
        torch.manual_seed(1)
        h = torch.randn(len(x), len(COLUMNS[name]), H, requires_grad=True)
        head.zero_grad()
        log_prob = head.train(training)(h).log_prob(x)
        log_prob.sum().backward()
        found[training] = [log_prob.detach(), h.grad, *(p.grad for p in head.parameters())]
    for together, apart in zip(*found.values(), strict=True):
        torch.testing.assert_close(together, apart, rtol=1e-4, atol=1e-5)
    assert torch.equal(head.train()(h).cells[0].log_prob(x[:, 0]), head.eval()(h).cells[0].log_prob(x[:, 0]))


def test_what_is_known_of_a_value_is_what_the_distribution_says_bit_for_bit():
    generator = np.random.default_rng(0)
    for step in (None, 0.5):
        x = generator.normal(size=(3, 200)) * 3
        x = x if step is None else np.round(x / step) * step
        marginals = [Marginal(step) for _ in x]
        for marginal, values in zip(marginals, x, strict=True):
            marginal.fit(values)
        known, x = KnownMarginals(marginals), torch.from_numpy(x)
        for _ in range(30):
            some = x[:, generator.permutation(200)[: generator.integers(1, 60)]]
            low, high, width, log_prob = known.at(some)
            for d, marginal in enumerate(marginals):
                assert all(map(torch.equal, (low[d], high[d], width[d]), marginal.scores(some[d])))
                assert torch.equal(log_prob[d], marginal.log_prob(some[d]))
        assert known.value.shape[1] >= 200
        marginals[0].fit(x[1].numpy())  # another distribution: nothing is known of it
        assert torch.equal(known.at(x)[3][0], marginals[0].log_prob(x[0]))


def test_copies_learn_apart():
    head, x = made(COLUMNS["densities"])
    h = torch.zeros(len(x), 4, H)
    before = head.train()(h).log_prob(x)
    copy = deepcopy(head)
    with torch.no_grad():
        for parameter in copy.parameters():
            parameter.add_(0.1)
    assert torch.equal(head(h).log_prob(x), before)
    assert not torch.equal(copy(h).log_prob(x), before)


def test_what_is_no_level_and_no_number_is_refused():
    head, x = made(COLUMNS["levels"])
    with pytest.raises(InputError, match=r"a column of levels has 0.5"):
        head.train()(torch.zeros(1, 3, H)).log_prob(torch.tensor([[1.0, 0.5, 2.0]]))
    head, x = made(COLUMNS["densities"])
    x[0, 2] = torch.nan
    with pytest.raises(InputError, match="NaN or infinite"):
        head.train()(torch.zeros(len(x), 4, H)).log_prob(x)
