"""Columns of numbers that repeat although they have many digits, and tables of densities."""

import warnings

import numpy as np
import pytest

from chainrule.data import load

RNG = np.random.default_rng(0)
THIRDS = np.rint(RNG.normal(10, 1, 400) * 3) / 3  # written with fifteen digits
DRAWN = RNG.normal(size=400)


def file_of(tmp_path, **columns):
    rows = [",".join(columns)] + [
        ",".join(f"{v!r}" for v in row) for row in zip(*map(list, columns.values()), strict=True)
    ]
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    return str(tmp_path / "t.csv")


def kinds(data):
    return [column.kind for column in data.encoding.columns]


def test_numbers_of_many_digits_that_repeat_have_a_step(tmp_path):
    source = file_of(tmp_path, a=[float(f"{v:.15g}") for v in THIRDS], b=[float(f"{v:.2f}") for v in DRAWN])
    data = load(source)
    assert kinds(data) == ["real", "real"]
    fine = data.encoding.columns[0].resolution
    assert fine <= 1e-13
    texts = [row[0] for row in data.encoding.decode(data.train.batch(np.arange(3)).x.numpy())]
    assert {float(text) for text in texts} <= set(np.array([float(f"{v:.15g}") for v in THIRDS]))
    with pytest.warns(UserWarning, match="densities") as said:
        before = load(source, reader=2)
    assert any("repeat their values" in str(w.message) for w in said)
    assert kinds(before) == ["density", "real"]
    assert (before.options["reader"], data.options["reader"]) == (2, 4)


def test_numbers_that_do_not_repeat_stay_a_density(tmp_path):
    assert kinds(load(file_of(tmp_path, a=[float(v) for v in DRAWN]))) == ["density"]


def test_a_table_of_densities(tmp_path):
    columns = {"a": [round(float(v), 1) for v in DRAWN], "n": [int(v) for v in RNG.poisson(90, 400)]}
    source = file_of(tmp_path, **columns, name=[1.0, 0.0] * 200)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        data = load(source, density=True)
    assert kinds(data) == ["density", "density", "categorical"]
    assert any("repeat their values" in str(w.message) and "--density" in str(w.message) for w in said)
    assert data.options["density"] is True
    assert "2 of 3 columns are densities" in data.note
    with pytest.warns(UserWarning, match="densities"):
        assert kinds(load(source, density=True, columns="a=real:0.1"))[0] == "real"
    assert "density" not in load(source).options


def test_what_a_density_is_in_standard_deviations_is_said(tmp_path):
    data = load(file_of(tmp_path, a=[float(v) * 100 for v in DRAWN], b=[float(v) * 3 for v in DRAWN[::-1]]))
    train = data.train.batch(np.arange(len(data.train))).x.numpy()
    assert f"{np.log(train.std(0)).sum():.6g} nats per row less" in data.note


@pytest.mark.parametrize("reader", [0, 5])
def test_a_reader_that_there_is_not(tmp_path, reader):
    from chainrule import InputError

    with pytest.raises(InputError, match="--reader is 1 to 4"):
        load(file_of(tmp_path, a=[1.0, 2.0] * 20), reader=reader)
