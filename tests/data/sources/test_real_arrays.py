"""Arrays of reals are tables: those of frames with these columns, in memory and in files, through every verb."""

import numpy as np
import pandas as pd
import pytest
import torch

import chainrule as cr
from chainrule.errors import InputError

X = np.random.default_rng(0).normal(size=(60, 3))
X[::7, 1] = np.nan
LABELS = np.arange(60) % 3
NAMES = ["x0", "x1", "x2"]


def file_of(tmp_path, name, **arrays):
    np.savez(tmp_path / name, **arrays)
    return tmp_path / name


@pytest.mark.parametrize(
    "source",
    [
        lambda home: X,
        lambda home: torch.tensor(X),
        lambda home: np.asfortranarray(X).astype(">f8"),
        lambda home: X.astype(np.longdouble),
        lambda home: file_of(home, "x.npz", values=X),
        lambda home: np.save(home / "x.npy", X) or home / "x.npy",
    ],
    ids=["array", "tensor", "order of bytes", "long doubles", "npz", "npy"],
)
def test_rows_of_reals_are_the_table_of_a_frame(tmp_path, source):
    found, expected = cr.load(source(tmp_path)), cr.load(pd.DataFrame(X, columns=NAMES))
    assert found.encoding == expected.encoding
    for split in ("train", "valid", "test"):
        np.testing.assert_array_equal(getattr(found, split).x, getattr(expected, split).x)


@pytest.mark.parametrize("kind", ["pair", "npz"])
def test_labels_are_a_column(tmp_path, kind):
    source = (X, LABELS) if kind == "pair" else file_of(tmp_path, "x.npz", x=X, y=LABELS)
    expected = cr.load(pd.DataFrame(X, columns=NAMES).assign(label=LABELS), given="label")
    assert cr.load(source, given="label").encoding == expected.encoding


def test_splits_of_a_file_stay(tmp_path):
    found = cr.load(file_of(tmp_path, "x.npz", x_train=X[:40], x_test=X[40:]))
    assert len(found.test) == 20


def test_single_numbers_are_rows_of_one_column():
    assert [column.name for column in cr.load(X[:, 0]).encoding.columns] == ["x0"]


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_short_reals_are_numbers(dtype):
    assert {column.kind for column in cr.load(X.astype(dtype)).encoding.columns} <= {"real", "density"}


def test_whole_numbers_are_symbols_and_images_are_no_tables():
    assert cr.load(np.nan_to_num(X).round() ** 2).encoding.kind == "array"
    with pytest.raises(InputError, match="is not an integer"):
        cr.load(X[:, ::2].reshape(30, 2, 2))


def test_every_verb_takes_arrays_and_files(tmp_path):
    np.save(tmp_path / "x.npy", X)
    run = cr.fit(tmp_path / "x.npy", steps=1)
    assert run.evaluate().likelihood.examples == 6
    by_array, by_file = (run.score(source).columns["log_prob"] for source in (X, tmp_path / "x.npy"))
    np.testing.assert_allclose(by_array, by_file, rtol=1e-6)
    assert len(run.sample(2, seed=0).raw[0]) == 3
    whole = run.score(np.ones((2, 3))).columns["log_prob"]  # numbers that are whole are numbers of the table, too
    assert np.isfinite(whole).all()
    with pytest.raises(InputError, match="expected the rows of a table"):
        run.score(np.ones((2, 3, 1)))
    with pytest.raises(InputError, match="x3"):
        run.score(np.ones((2, 4)))


def test_an_infinite_number_is_refused_by_its_place():
    with pytest.raises(InputError, match="'x1' holds an infinite number in row 4"):
        cr.load(np.where(np.arange(180).reshape(60, 3) == 10, np.inf, X))
