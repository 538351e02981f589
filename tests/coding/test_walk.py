"""Sequences come back through every network, whatever their number and their lengths."""

import numpy as np
import pytest
import torch

from chainrule.batch import Batch
from chainrule.coding.canary import canary
from chainrule.coding.elements import Anchor
from chainrule.coding.walk import Layout, decode_sequences, encode_sequences, layout_from_json
from chainrule.errors import DamagedArchive, InputError
from chainrule.heads.categorical import CategoricalHead
from chainrule.heads.columns import ColumnsHead
from chainrule.heads.count import CountHead
from chainrule.heads.missing import MissingHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks.causal_conv import CausalConv
from chainrule.networks.recurrent import Recurrent
from chainrule.verification.laws import randomised
from tests.laws.head_instances import FEATURES, HEADS
from tests.laws.network_instances import LENGTH, NETWORKS
from tests.laws.test_laws import read_by

LANES = 4


def back(model, layout, sequences, lengths=None, context=None):
    """Code sequences and decode them again; the code and whether they are the same."""
    code = encode_sequences(model, layout, sequences, context)
    found = decode_sequences(model, layout, code, [len(x) for x in sequences] if lengths is None else lengths, context)
    assert len(found) == len(sequences)
    for x, y in zip(sequences, found, strict=True):
        assert np.array_equal(x, y, equal_nan=True)
    return code


def chain(symbols=3, length=12, seed=0):
    torch.manual_seed(seed)
    return randomised(AutoregressiveModel(CausalConv(symbols, length, 8), CategoricalHead(8, symbols)), scale=0.3)


@pytest.mark.parametrize("count", [1, 2, LANES - 1, LANES, LANES + 1, 11])
@pytest.mark.parametrize("window", [1, 5, 12])
def test_sequences_of_any_number_and_length_come_back(count, window):
    generator = np.random.default_rng(count)
    sequences = [generator.integers(3, size=n) for n in generator.integers(0, 30, size=count)]
    layout = Layout(LANES, window, max(1, window // 2), 30)
    back(chain(), layout, sequences)


def test_nothing_is_coded_as_nothing():
    assert back(chain(), Layout(LANES, 12, 6, 1), []) == b""
    assert back(chain(), Layout(LANES, 12, 6, 1), [np.zeros(0)] * 3) == b""


def test_sequences_end_by_a_symbol_of_their_own():
    generator = np.random.default_rng(0)
    sequences = [np.append(generator.integers(2, size=n), 2) for n in (0, 1, 40, 7, 12, 3)]
    layout = Layout(LANES, 12, 6, 41, end=2)
    code = back(chain(), layout, sequences, lengths=[None] * 6)
    with pytest.raises(DamagedArchive, match="does not end"):
        decode_sequences(chain(), Layout(LANES, 12, 6, 1, end=2), code[::-1], [None] * 6)


def test_the_code_is_as_long_as_the_likelihood_says():
    torch.manual_seed(1)
    model = chain(symbols=5, length=16)
    x = model.sample(200, seed=3).x
    bits = -float(model.log_prob(Batch(x)).detach().double().sum()) / np.log(2)
    layout = Layout(64, 16, 16, 16)
    code = back(model, layout, list(x.numpy().astype(float)))
    assert bits - 1 <= 8 * len(code) <= 1.001 * bits + 64


def test_rows_of_counts_and_missing_values_come_back():
    torch.manual_seed(0)
    head = ColumnsHead([CountHead(8), MissingHead(CountHead(8)), MissingHead(CategoricalHead(8, 4))])
    model = AutoregressiveModel(Recurrent(None, 3, 8), head)
    rows = [np.array([k, np.nan if k % 3 == 0 else k * k, 4 if k % 5 == 0 else k % 4]) for k in range(23)]
    layout = Layout(LANES, 3, 3, 3, real=True, anchors=(Anchor(11, 10), Anchor(100, 50), Anchor()))
    code = encode_sequences(model, layout, rows)
    found = decode_sequences(model, layout, code, [3] * 23)
    assert np.array_equal(np.stack(found), np.stack(rows), equal_nan=True)


def code_samples(network, head, counts):
    """Code what a network and a head draw, for several numbers of sequences."""
    instance, built = NETWORKS[network], HEADS[head]()
    model = randomised(AutoregressiveModel(instance.build(built.num_symbols), built), scale=0.1)
    context = None if instance.context is None else instance.context[torch.arange(max(counts)) % 3]
    if not built(torch.zeros(1, LENGTH, FEATURES)).is_mass:
        with pytest.raises(InputError, match="declare the step"):
            encode_sequences(model, Layout(LANES, LENGTH, LENGTH, LENGTH, real=True), [np.zeros(LENGTH)], context)
        return
    real = built.num_symbols is None and not (isinstance(built, ColumnsHead) and built.integers)
    layout = Layout(LANES, LENGTH, LENGTH, LENGTH, real=real)
    x = list(model.sample(max(counts), seed=0, context=context).x.double().numpy())
    for count in counts:
        back(model, layout, x[:count], context=context)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_codes_what_it_draws(name):
    code_samples(name, "CategoricalHead", [1, LANES + 1])


@pytest.mark.parametrize(
    "part", [pytest.param(0, marks=pytest.mark.slow), *[pytest.param(n, marks=pytest.mark.soak) for n in range(1, 6)]]
)
@pytest.mark.parametrize("head", HEADS)
def test_every_network_and_head_code_what_they_draw(head, part):
    networks = read_by(NETWORKS, HEADS[head]().num_symbols)
    for network in networks[(list(HEADS).index(head) + part) % 6 :: 6]:
        code_samples(network, head, [LANES + 1])


def test_contexts_are_known_to_both_sides():
    torch.manual_seed(0)
    network = CausalConv(3, 6, 8, num_classes=4)
    model = randomised(AutoregressiveModel(network, CategoricalHead(8, 3)), scale=0.3)
    context = torch.arange(10) % 4
    sequences = list(np.random.default_rng(0).integers(3, size=(10, 6)))
    code = back(model, Layout(LANES, 6, 6, 6), sequences, context=context)
    other = decode_sequences(model, Layout(LANES, 6, 6, 6), code, [6] * 10, (context + 1) % 4)
    assert any((x != y).any() for x, y in zip(sequences, other, strict=True))


def test_the_canary_tells_weights_and_batch_shapes_apart():
    layout, model = Layout(LANES, 12, 12, 12), chain()
    assert canary(model, layout, None) == canary(model, layout, None)
    assert canary(model, layout, None) != canary(chain(seed=1), layout, None)


@pytest.mark.parametrize(
    "change",
    [
        {"lanes": 0},
        {"lanes": 10**9},
        {"stride": 20},
        {"window": 10**6},
        {"longest": "many"},
        {"anchors": 3},
        {"more": 1},
    ],
)
def test_a_layout_that_cannot_be_is_refused(change):
    fields = Layout(LANES, 12, 6, 30).to_json()
    assert layout_from_json(fields, 12) == Layout(LANES, 12, 6, 30)
    with pytest.raises(DamagedArchive, match="no way to walk"):
        layout_from_json(fields | change, 12)


def test_a_sequence_longer_than_the_layout_says_is_refused():
    with pytest.raises(InputError, match="the layout says 5 at most"):
        encode_sequences(chain(), Layout(LANES, 5, 5, 5), [np.zeros(6)])
