"""Elements of every kind come back, at the cost of their probability."""

import numpy as np
import pytest
import torch

from chainrule.coding.elements import Anchor, Reader, Writer, code_element, code_symbols
from chainrule.coding.range_coder import PlainDecoder, PlainEncoder
from chainrule.errors import InputError
from chainrule.heads.average import AverageHead
from chainrule.heads.columns import ColumnsHead
from chainrule.heads.count import CountHead
from chainrule.heads.gaussian_mixture import GaussianMixtureHead
from chainrule.heads.logistic_mixture import LogisticMixtureHead
from chainrule.heads.missing import MissingHead
from chainrule.heads.rare import RareHead
from tests.laws.head_instances import HEADS

LANES = 40


def heads():
    """One of every head that is a mass, small, with random weights."""
    made = {name: instance() for name, instance in HEADS.items()}
    made["count, missing"] = MissingHead(CountHead(8))
    made["real, missing"] = MissingHead(GaussianMixtureHead(8, resolution=0.25))
    made["average of counts"] = AverageHead([CountHead(4), CountHead(4)])
    made["many rare"] = RareHead(8, 9000, frequent=20)
    made["one symbol"] = LogisticMixtureHead(8, 1)
    made["columns"] = ColumnsHead([CountHead(8), MissingHead(LogisticMixtureHead(8, 5)), RareHead(8, 30, frequent=4)])
    return made


def round_trip(head, length, seed):
    """Elements drawn from a head, coded one after the other; their code length and -log2 p in bits."""
    generator = torch.Generator().manual_seed(seed)
    h = torch.randn(LANES, length, head.features, generator=generator, dtype=torch.float64)
    h = h.to(next((part.dtype for part in head.parameters()), torch.float32))
    x = torch.zeros(LANES, 0)
    coder, bits, active, sides = PlainEncoder(), 0.0, np.arange(LANES) % 7 != 3, []
    with torch.no_grad():
        for d in range(length):
            p = head.at(d, h[:, d], x)
            drawn = p.icdf(torch.rand(LANES, generator=generator, dtype=torch.float64))
            values = drawn.double().numpy()
            anchor = Anchor.of(np.rint(values[~np.isnan(values)]))
            code_element(Writer(coder), p, values, active, anchor)
            bits -= float(p.log_prob(drawn)[torch.from_numpy(active)].double().sum()) / np.log(2)
            sides.append((p, values, anchor))
            x = torch.cat([x.to(drawn.dtype), drawn[:, None]], 1)
        reader = Reader(PlainDecoder(coder.words()))
        for p, values, anchor in sides:
            back = code_element(reader, p, None, active, anchor)
            assert np.array_equal(back[active], values[active], equal_nan=True)
            assert (back[~active] == 0).all()
    return 32 * len(coder.words()), bits


@pytest.mark.parametrize("name", heads())
def test_elements_come_back_at_the_cost_of_their_probability(name):
    head = heads()[name]
    length = 3 if name == "columns" else 4
    p = head(torch.zeros(1, length, head.features, dtype=next((w.dtype for w in head.parameters()), torch.float32)))
    if not p.is_mass:
        with pytest.raises(InputError, match="declare the step"):
            round_trip(head, length, 0)
        return
    coded, bits = round_trip(head, length, 0)
    assert coded <= 1.001 * bits + 64 + LANES * length * 1.45 * (p.num_symbols or 64) / 2**24
    assert coded >= bits - 64


@pytest.mark.parametrize("values", [[0, 1, -1, 2**40, -(2**40), 2**53, -(2**53)], [5] * 7])
def test_numbers_far_out_are_coded(values):
    head = GaussianMixtureHead(8, resolution=1.0)
    p = head.at(0, torch.zeros(7, 8), torch.zeros(7, 0))
    coder, x, active = PlainEncoder(), np.array(values, dtype=float), np.ones(7, dtype=bool)
    with torch.no_grad():
        code_element(Writer(coder), p, x, active, Anchor())
        back = code_element(Reader(PlainDecoder(coder.words())), p, None, active, Anchor())
    assert back.tolist() == x.tolist()
    with pytest.raises(InputError, match="can be coded"), torch.no_grad():
        code_element(Writer(coder), p, x * 2.0**20 + 2.0**60, active, Anchor())


def test_a_missing_number_is_refused_where_the_model_knows_none():
    p = CountHead(8).at(0, torch.zeros(1, 8), torch.zeros(1, 0))
    with pytest.raises(InputError, match="knows no missing values"), torch.no_grad():
        code_element(Writer(PlainEncoder()), p, np.array([np.nan]), np.ones(1, dtype=bool), Anchor())


@pytest.mark.parametrize("count", [1, 2, 4096, 4097, 50_000])
def test_alphabets_of_any_size(count):
    generator = np.random.default_rng(count)
    pmf = generator.dirichlet(np.full(count, 0.3), 20) if count > 1 else np.ones((20, 1))
    x = np.concatenate([pmf.argmax(1)[:10], pmf.argmin(1)[10:19], [count - 1]])
    coder = PlainEncoder()
    code_symbols(Writer(coder), pmf, x)
    assert code_symbols(Reader(PlainDecoder(coder.words())), pmf, None).tolist() == x.tolist()
    assert (len(coder.words()) == 0) == (count == 1)


def test_a_symbol_that_the_model_does_not_have_is_refused():
    with pytest.raises(InputError, match="symbols run from 0 to 3, but the model has 3"):
        code_symbols(Writer(PlainEncoder()), np.ones((2, 3)) / 3, np.array([0, 3]))
