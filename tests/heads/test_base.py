"""What a distribution over finitely many symbols gets from `log_prob` and `pmf` alone, and what heads declare."""

import pytest
import torch

from chainrule import CategoricalHead, CausalConv, MissingHead, SampledSoftmaxHead
from chainrule.errors import InputError
from chainrule.heads import Categorical, ChannelChainHead, Distribution, GaussianMixtureHead, LogisticMixtureHead
from chainrule.models.chain import AutoregressiveModel


class Table(Distribution):
    """Probabilities as they are given: the least that a finite distribution defines."""

    def __init__(self, probabilities):
        self.probabilities, self.num_symbols = probabilities, probabilities.shape[-1]

    @property
    def batch_shape(self):
        return self.probabilities.shape[:-1]

    @property
    def device(self):
        return self.probabilities.device

    def log_prob(self, x):
        return self.probabilities.gather(-1, x.unsqueeze(-1)).squeeze(-1).log()

    def pmf(self):
        return self.probabilities


def test_a_pmf_is_enough_for_a_finite_support():
    pmf = torch.tensor([[0.5, 0.0, 0.5], [0.1, 0.2, 0.7]], dtype=torch.float64)
    ours, categorical = Table(pmf), Categorical(pmf.log())
    x, u = torch.tensor([2, 1]), torch.tensor([0.5, 0.25], dtype=torch.float64)
    torch.testing.assert_close(ours.cdf(x), categorical.cdf(x))
    torch.testing.assert_close(ours.entropy(), categorical.entropy())
    assert torch.equal(ours.icdf(u), categorical.icdf(u))
    assert ours.has_pmf
    assert ours.density_columns == ()
    with pytest.raises(InputError, match="symbols run from"):
        ours.cdf(torch.tensor([3, 0]))


@pytest.mark.parametrize("method", ["log_pmf", "log_normaliser"])
def test_what_a_table_of_probabilities_does_not_have_is_refused(method):
    with pytest.raises(InputError, match="Table does not have"):
        getattr(Table(torch.tensor([[0.5, 0.5]])), method)()


def test_a_density_has_no_pmf_and_all_its_columns_are_densities():
    p = GaussianMixtureHead(8)(torch.zeros(2, 3, 8))
    assert not p.has_pmf
    assert p.density_columns == (0, 1, 2)
    for refused in (p.pmf, p.entropy):
        with pytest.raises(InputError, match="GaussianMixture has no"):
            refused()


def test_a_chain_of_channels_has_no_pmf_of_all_elements_at_once():
    assert not ChannelChainHead(8, 4)(torch.zeros(1, 6, 8)).has_pmf


def test_heads_declare_what_they_need():
    assert SampledSoftmaxHead(8, 5).needs_counts
    assert SampledSoftmaxHead(8, 5).has_estimate
    plain = CategoricalHead(8, 5)
    assert (plain.needs_counts, plain.has_estimate, plain.tied) == (False, False, False)
    h, x = torch.randn(2, 3, 8), torch.zeros(2, 3, dtype=torch.long)
    assert torch.equal(plain.training_estimate(h, x), plain(h).log_prob(x))
    assert torch.equal(plain.logits_layer()(h), plain.logits(h))
    assert MissingHead(plain).logits_layer() is None
    with pytest.raises(InputError, match="no weight to tie"):
        LogisticMixtureHead(8, 5).tie(None)


def test_a_tied_head_needs_a_network_with_one_table_of_its_shape():
    model = AutoregressiveModel(CausalConv(5, 4, 8), CategoricalHead(8, 5, tied=True))
    assert model.head.linear.weight is model.network.embedding_table.weight
    with pytest.raises(InputError, match="which has none"):
        AutoregressiveModel(CausalConv(None, 4, 8), CategoricalHead(8, 5, tied=True))
