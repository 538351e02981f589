"""Elements that are given and not scored: what only their own features need is not computed, and nothing changes."""

import numpy as np
import pytest
import torch

from chainrule.batch import Batch
from chainrule.config.registry import averaged
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.evaluation.batch_rows import batch_rows
from chainrule.heads.categorical import CategoricalHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.recurrent import Recurrent
from chainrule.networks.transformer import Transformer

OPTIONS = [{}, {"groups": 2}, {"window": 3}, {"value_embeddings": True, "ngrams": 50}, {"positions": True}]


def random_model(**options):
    """A transformer whose weights are all random, those that start at zero, too."""
    torch.manual_seed(0)
    model = AutoregressiveModel(Transformer(7, 12, 16, 2, 4, **options), CategoricalHead(16, 7)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("length", [12, 9])
def test_the_features_from_an_element_on_are_those_of_all_elements(options, gradients, length):
    model = random_model(**options)
    x = torch.randint(7, (3, length))
    with torch.set_grad_enabled(gradients):
        whole = model.network.layers(x)[-1]
        for first in range(length):
            torch.testing.assert_close(model.network.features_from(first, x), whole[:, first:])


@pytest.mark.parametrize("scored", [[0], [5], [11], [4, 5, 6], [0, 11], [3, 9]])
def test_ln_p_of_scored_elements_does_not_depend_on_what_is_skipped(scored):
    """Each row scores an element of its own, and one row scores none."""
    model = random_model()
    x, mask = torch.randint(7, (len(scored) + 1, 12)), torch.zeros(len(scored) + 1, 12, dtype=torch.bool)
    mask[range(len(scored)), scored] = True
    with torch.inference_mode():
        found = model.element_log_prob(Batch(x, mask))
        expected = model.element_log_prob(Batch(x))
    assert found.shape == mask.shape
    torch.testing.assert_close(found, torch.where(mask, expected, 0.0))


def test_elements_that_are_given_are_not_computed_in_the_last_block():
    model, seen = random_model(), []
    model.network.blocks[-1].feed_forward.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape[1]))
    mask = torch.arange(12).expand(2, 12) >= 8
    model.element_log_prob(Batch(torch.zeros(2, 12, dtype=torch.long), mask))
    model.element_log_prob(Batch(torch.zeros(2, 12, dtype=torch.long)))
    assert seen == [4, 12]


def test_a_plain_average_skips_what_its_members_skip():
    average = averaged([random_model(), AutoregressiveModel(Recurrent(7, 12, width=8), CategoricalHead(8, 7)).eval()])
    assert average.network.skips_given
    assert average.head.anywhere
    x, mask = torch.randint(7, (3, 12)), torch.arange(12).expand(3, 12) >= 5
    with torch.inference_mode():
        found, expected = average.element_log_prob(Batch(x, mask)), average.element_log_prob(Batch(x))
    torch.testing.assert_close(found, torch.where(mask, expected, 0.0))


def test_an_average_with_weights_by_what_was_said_before_skips_nothing():
    average = averaged([random_model(), random_model(groups=2)], True, "hindsight").eval()
    assert not average.network.skips_given
    x, mask = torch.randint(7, (3, 12)), torch.arange(12).expand(3, 12) >= 5
    with torch.inference_mode():
        found, expected = average.element_log_prob(Batch(x, mask)), average.element_log_prob(Batch(x))
    torch.testing.assert_close(found, torch.where(mask, expected, 0.0))


def test_a_batch_is_as_large_as_the_layers_of_the_network_want():
    examples = ArrayExamples(np.zeros((500, 64), dtype=np.int64))
    small, large = (Transformer(7, 64, width, 1, 2) for width in (8, 512))
    networks = (small, large, Recurrent(7, 64, width=512))
    models = [AutoregressiveModel(network, CategoricalHead(network.features, 7)) for network in networks]
    assert [len(next(batch_rows(model, examples))) for model in models] == [500, 16, 256]


def test_symbols_outside_are_refused_also_where_they_are_given_only():
    mask = torch.arange(12).expand(1, 12) >= 8
    with pytest.raises(ValueError, match="symbols run"):
        random_model().element_log_prob(Batch(torch.full((1, 12), 7), mask))
