"""The law of splits: on data drawn independently, test is a sample of the same distribution.

The model is the true one, so the figure of the test split must cover the entropy within two standard errors about as
often as a normal variable does: in at least 180 of 200 draws (expected 190; fewer than 180 have probability 1e-3 where
coverage is 94 %).
"""

import math

import numpy as np
import pyarrow as pa
import pytest

from chainrule.data import load

DRAWS, ROWS, COVERED = 200, 1000, 180
SKEWED = np.array([0.6, 0.25, 0.15])
ENTROPY = float(-(SKEWED * np.log(SKEWED)).sum())


def drawn(rng, columns, rows=ROWS):
    """Independent rows of skewed symbols: of 81 possible rows, nearly every one repeats."""
    return rng.choice(3, (rows, columns), p=SKEWED)


def unique(rng):
    """Rows of 40 fair bits, of which hardly any repeats."""
    return rng.integers(0, 2, (ROWS, 40))


def covers(nats, entropy):
    return abs(-nats.mean() - entropy) <= 2 * nats.std(ddof=1) / math.sqrt(len(nats))


def rows_of(data):
    return data.test.batch(np.arange(len(data.test))).x.numpy()


def array_with_repeats(rng):
    x = rows_of(load(drawn(rng, 4)))
    return np.log(SKEWED)[x].sum(1), 4 * ENTROPY


def frame_with_repeats(rng):
    x = drawn(rng, 4)
    data = load(pa.table({f"c{k}": pa.array(np.array(["a", "b", "c"])[x[:, k]]) for k in range(4)}))
    rows = data.encoding.decode(rows_of(data))
    return np.array([sum(math.log(SKEWED["abc".index(cell)]) for cell in row) for row in rows]), 4 * ENTROPY


def short_strings_with_repeats(rng):
    texts = ["".join("abc"[k] for k in row) for row in drawn(rng, 4)]
    data = load(texts)
    texts = data.test.sequences()
    return np.array([np.log(SKEWED)[text - ord("a")].sum() for text in texts]), 4 * ENTROPY


def short_lists_with_repeats(rng):
    data = load([["abc"[k] for k in row] for row in drawn(rng, 4)])
    batch = data.test.batch(np.arange(len(data.test)))
    x = batch.x.numpy()[:, :4]
    order = np.array(["abc".index(symbol) for symbol in data.encoding.symbols])
    return np.log(SKEWED)[order[x]].sum(1), 4 * ENTROPY


def array_without_repeats(rng):
    x = unique(rng)
    skew = (x[:, ::2] & x[:, 1::2]).astype(np.int64)  # 20 bits with p = 1/4: rows have different probabilities
    p = np.log(np.array([0.75, 0.25]))
    return p[rows_of(load(skew))].sum(1), 20 * float(-(0.75 * p[0] + 0.25 * p[1]))


def pictures_without_repeats(rng):
    """Images are split by content, which is as good where nothing repeats."""
    p = np.log(np.array([0.75, 0.25]))
    x = (rng.random((ROWS, 8, 8)) < 0.25).astype(np.uint8)
    return p[rows_of(load(x))].sum(1), 64 * float(-(0.75 * p[0] + 0.25 * p[1]))


KINDS = [
    array_with_repeats,
    frame_with_repeats,
    short_strings_with_repeats,
    short_lists_with_repeats,
    array_without_repeats,
    pictures_without_repeats,
]


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_test_split_of_independent_rows_covers_the_entropy(kind):
    rng = np.random.default_rng(0)
    assert sum(covers(*kind(rng)) for _ in range(DRAWS)) >= COVERED


def test_a_split_by_content_does_not_where_rows_repeat():
    """The law can fail: this is the split of earlier versions."""
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(20):
        with pytest.warns(UserWarning, match="only .* are distinct"):
            x = rows_of(load(drawn(rng, 4, 10 * ROWS), split="distinct:80/10/10"))
        covered += len(x) > 1 and covers(np.log(SKEWED)[x].sum(1), 4 * ENTROPY)
    assert covered < 10
