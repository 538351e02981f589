"""The range coder: the same words in plain Python and by the library, and integer weights that keep their bound."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from chainrule.coding.range_coder import LibraryDecoder, LibraryEncoder, PlainDecoder, PlainEncoder
from chainrule.coding.weights import TOTAL, integer_weights
from chainrule.errors import DamagedArchive, InputError

constriction = pytest.importorskip("constriction")

GOLDEN = {  # symbols over pmf -> words; they define the format and never change
    "halves": ([0.5, 0.5], [0, 1, 1, 0] * 10, [1717986918, 1573715968]),
    "rare": ([1.0, 0.0], [1] * 4, [4294967295, 4261412864, 4294967295, 65536]),
}


def pmfs(rows=(1, 12), symbols=(2, 40)):
    shape = st.tuples(st.integers(*rows), st.integers(*symbols))
    numbers = st.one_of(st.just(0.0), st.just(1e-30), st.floats(0, 1))
    return shape.flatmap(lambda s: arrays(np.float64, s, elements=numbers)).map(lambda p: p + (p.sum(1) == 0)[:, None])


@settings(max_examples=60, deadline=None)
@given(pmfs(), st.randoms(use_true_random=False))
def test_both_coders_write_the_same_words_and_both_read_them(pmf, random):
    weights = integer_weights(pmf)
    x = np.array([random.randrange(pmf.shape[1]) for _ in pmf])
    plain, library = PlainEncoder(), LibraryEncoder(constriction)
    half = len(x) // 2
    for part in (slice(0, half), slice(half, None)):
        plain.encode(x[part], weights[part])
        library.encode(x[part], weights[part])
    words = plain.words()
    assert words.tolist() == library.words().tolist() == plain.words().tolist()
    assert PlainDecoder(words).decode(weights).tolist() == x.tolist()
    assert LibraryDecoder(constriction, words).decode(weights).tolist() == x.tolist()


def test_long_codes_with_waiting_carries_are_the_same():
    generator = np.random.default_rng(0)
    weights = np.concatenate([integer_weights(generator.dirichlet([0.02, 0.5, 20.0], 4000))] * 2)
    x = np.where(generator.random(8000) < 0.9, weights.argmax(1), generator.integers(3, size=8000))
    plain, library = PlainEncoder(), LibraryEncoder(constriction)
    plain.encode(x, weights)
    library.encode(x, weights)
    assert (plain.words() == library.words()).all()
    assert (PlainDecoder(plain.words()).decode(weights) == x).all()
    ideal = -np.log2(weights[np.arange(8000), x] / TOTAL).sum()
    assert ideal <= 32 * len(plain.words()) <= 1.001 * ideal + 64


def test_weights_stay_what_they_were_when_others_are_made():
    """Memory is used again inside, never that of a result."""
    p = np.random.default_rng(0).dirichlet(np.ones(9), size=(2, 5))
    first = integer_weights(p[0])
    kept = first.copy()
    integer_weights(p[1])
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("shape", [(1, 2), (500, 2), (64, 17), (64, 256), (3, 4096), (7, 1)])
def test_weights_are_those_of_the_definition(shape):
    """In the plainest NumPy; archives are defined by them, to the last bit."""
    p = np.random.default_rng(shape[1]).gamma(0.2, size=shape)
    reached = np.floor(np.cumsum(p, 1) / np.cumsum(p, 1)[:, -1:] * (TOTAL - shape[1]))
    wanted = np.diff(reached, axis=1, prepend=0.0) + 1
    fixed = p.copy()
    fixed.flags.writeable = False
    for given_as in (p, np.asfortranarray(p), fixed):
        assert np.array_equal(integer_weights(given_as), wanted)


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("coder", [PlainEncoder, lambda: LibraryEncoder(constriction)])
def test_golden_words(name, coder):
    pmf, x, words = GOLDEN[name]
    made = coder()
    made.encode(np.array(x), integer_weights(np.array([pmf] * len(x))))
    assert made.words().tolist() == words


@settings(max_examples=60, deadline=None)
@given(pmfs(symbols=(1, 300)))
def test_weights_keep_their_sum_and_their_bound(pmf):
    weights = integer_weights(pmf)
    assert (weights >= 1).all()
    assert (weights.sum(1) == TOTAL).all()
    p = pmf / np.cumsum(pmf, 1)[:, -1:]
    size = pmf.shape[1]
    kept = p > 0
    with np.errstate(divide="ignore"):
        more = np.where(kept, np.log2(np.where(kept, p, 1)) - np.log2(weights / TOTAL), 0)
    assert more.max() <= 1.45 * size / TOTAL


@pytest.mark.parametrize("bad", [[np.nan, 1.0], [-0.1, 1.1], [0.0, 0.0], [np.inf, 1.0]])
def test_what_is_not_a_distribution_is_refused(bad):
    with pytest.raises(InputError, match="row 1 is not a distribution"):
        integer_weights(np.array([[0.5, 0.5], bad]))


def test_an_alphabet_beyond_one_row_is_refused():
    with pytest.raises(InputError, match="rows of 1 to 4096 probabilities"):
        integer_weights(np.ones((2, 5000)))


def test_words_that_nobody_wrote_are_read_as_something_or_refused():
    weights = integer_weights(np.full((500, 3), 1 / 3))
    for seed in range(20):
        words = np.random.default_rng(seed).integers(2**32, size=10, dtype=np.uint32)
        for decoder in (PlainDecoder(words), LibraryDecoder(constriction, words)):
            with suppress(DamagedArchive):
                assert decoder.decode(weights).max() < 3
