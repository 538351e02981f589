import numpy as np
import pytest
from scipy.stats import kstest

from chainrule.noise import philox, uniforms

# Known answers of the generator's authors (Random123, kat_vectors, philox4x32 with 10 rounds).
KNOWN = [
    ((0, 0, 0, 0), (0, 0), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN)
def test_known_answers(counter, key, words):
    assert " ".join(f"{int(word):08x}" for word in philox(counter, key)) == words


def test_noise_is_a_function_of_seed_example_and_element():
    whole = uniforms(3, range(100), range(50))
    assert np.array_equal(uniforms(3, [17, 99], [5, 0]), whole[[17, 99]][:, [5, 0]])
    assert not np.array_equal(uniforms(4, range(100), range(50)), whole)
    assert np.array_equal(uniforms(-1, [0], [0]), uniforms(2**64 - 1, [0], [0]))


def test_noise_is_uniform_and_uncorrelated():
    u = uniforms(0, range(300), range(300))
    assert u.min() >= 0
    assert u.max() < 1
    assert kstest(u.ravel(), "uniform").pvalue > 1e-4
    for a, b in ((u[:, :-1], u[:, 1:]), (u[:-1], u[1:])):
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < 0.015
