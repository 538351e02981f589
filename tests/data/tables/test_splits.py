"""Tables that are divided by one of their columns: by a split that stands in it, or by group."""

import json

import numpy as np
import pyarrow as pa
import pytest

from chainrule.data import encoding_from_json, load
from chainrule.errors import InputError
from tests.data.examples.test_split_law import covers


def customers(count=40, rows=600, seed=0):
    """Rows of customers, whose values hang on the customer."""
    rng = np.random.default_rng(seed)
    customer = rng.integers(0, count, rows)
    return {"customer": customer, "a": [("x", "y", "z")[c % 3] for c in customer], "b": rng.integers(0, 9, rows)}


def csv_of(path, columns, write=str):
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(map(write, row)) for row in rows)]) + "\n")
    return str(path)


def values(data, column):
    """The texts of a column in each split."""
    place = data.encoding.column_names.index(column)
    every = (data.encoding.decode(part.batch(np.arange(len(part))).x.numpy()) for part in data.splits.values())
    return [[row[place] for row in rows] for rows in every]


def test_no_customer_is_in_two_splits(tmp_path):
    data = load(csv_of(tmp_path / "t.csv", customers()), split="group:customer:60/20/20")
    of = [set(found) for found in values(data, "customer")]
    assert sum(map(len, of)) == len(set.union(*of)) == 40
    assert [len(part) / 600 for part in data.splits.values()] == pytest.approx([0.6, 0.2, 0.2], abs=0.04)
    assert "40 groups of customer: " in data.note
    units = data.test.units
    assert units.name == data.unit == "groups of customer"
    assert len(set(units.number.tolist())) == len(of[2])
    assert load(data.name, **data.options).digest() == data.digest()


def test_the_column_may_be_left_out_of_the_model_and_still_says_the_group(tmp_path):
    path = csv_of(tmp_path / "t.csv", customers())
    kept, dropped = load(path, split="group:customer"), load(path, split="group:customer", drop="customer")
    assert dropped.encoding.column_names == ("a", "b")
    for one, other in zip(kept.splits.values(), dropped.splits.values(), strict=True):
        assert one.units.number.tolist() == other.units.number.tolist()
    encoding = encoding_from_json(json.loads(json.dumps(dropped.encoding.to_json())))
    assert encoding == dropped.encoding
    assert len(set(encoding.encode(path).units.number.tolist())) == 40
    assert (
        encoding.encode(csv_of(tmp_path / "u.csv", {k: v for k, v in customers().items() if k != "customer"})).units
        is None
    )


def test_the_same_table_is_split_alike_whatever_it_is_written_in(tmp_path):
    columns = customers()
    plain = load(csv_of(tmp_path / "t.csv", columns), split="group:customer")
    floats = columns | {"customer": columns["customer"].astype(float)}
    others = [
        csv_of(tmp_path / "f.csv", floats),
        pa.table({name: pa.array(column) for name, column in columns.items()}),
        [{name: column[n] for name, column in floats.items()} for n in range(600)],
    ]
    for other in others:
        assert load(other, split="group:customer").digest() == plain.digest()


def test_rows_without_a_group_are_groups_of_their_own(tmp_path):
    columns = customers()
    columns["customer"] = ["" if n % 100 == 0 else c for n, c in enumerate(columns["customer"].tolist())]
    data = load(csv_of(tmp_path / "t.csv", columns), split="group:customer", drop="customer")
    assert "46 groups of customer" in data.note
    assert "6 rows have no customer, each is taken for a group of its own" in data.note


def test_a_table_that_is_split_already_may_not_tear_a_group(tmp_path):
    frame = pa.table({name: pa.array(column) for name, column in customers().items()})
    with pytest.raises(InputError, match="groups of 'customer' are in test and in another split"):
        load({"train": frame.slice(0, 400), "test": frame.slice(400)}, split="group:customer")
    by_customer = frame.sort_by("customer")
    border = int(np.searchsorted(by_customer["customer"].to_numpy(), 30))
    data = load({"train": by_customer.slice(0, border), "test": by_customer.slice(border)}, split="group:customer")
    train, valid, test = (set(found) for found in values(data, "customer"))
    assert not train & (valid | test)
    assert data.test.units.name == "groups of customer"


def test_the_figure_of_test_covers_the_entropy_where_groups_are_alike():
    """Each customer repeats one value: over groups two standard errors cover, over rows they do not."""
    p, covered, over_rows = np.array([0.5, 0.3, 0.2]), 0, 0
    entropy = -(p * np.log(p)).sum()
    for draw in range(60):
        rng = np.random.default_rng(draw)
        value = np.repeat(rng.choice(3, 300, p=p), 8)
        data = load(
            pa.table({"c": np.repeat(np.arange(300), 8), "v": [f"v{k}" for k in value]}),
            split="group:c:5/1/4",
            drop="c",
        )
        x = np.array(
            [int(row[0][1:]) for row in data.encoding.decode(data.test.batch(np.arange(len(data.test))).x.numpy())]
        )
        units = data.test.units
        means = units.sums(np.log(p)[x]) / units.sums(np.ones(len(x)))
        covered += covers(means, entropy)
        over_rows += covers(np.log(p)[x], entropy)
    assert covered >= 50
    assert over_rows < 45


def fold_of(n):
    return ("Train", "train ", "TRAIN", "val", "Validation", "dev", "test", "TEST")[n % 8]


def test_a_split_that_stands_in_a_column(tmp_path):
    columns = customers() | {"fold": [fold_of(n) for n in range(600)]}
    data = load(csv_of(tmp_path / "t.csv", columns), split_column="fold")
    assert [len(part) for part in data.splits.values()] == [225, 225, 150]
    assert "split by the column fold: 225/225/150" in data.note
    assert data.encoding.column_names == ("customer", "a", "b")
    expected = [str(columns["customer"][n]) for n in range(600) if fold_of(n).lower() == "test"]
    assert values(data, "customer")[2] == expected
    assert load(data.name, **data.options).digest() == data.digest()
    other = csv_of(tmp_path / "other.csv", customers(seed=1))
    assert len(data.encoding.encode(other)) == 600  # without the column
    assert len(data.encoding.encode(data.name)) == 600  # with it


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        (["train", "test", "holdout"], "line 4: the split column 'fold' has 'holdout', expected train, test, or valid"),
        (["train", "", "test"], "line 3: the split column 'fold' has no value"),
        (["1", "0", "1"], "line 2: the split column 'fold' has '1'"),
        (["test", "test", "valid"], "says 0/1/2 rows of train/valid/test"),
        (["train", "train", "train"], "says 3/0/0 rows of train/valid/test"),
    ],
)
def test_other_values_of_a_split_column_are_refused(tmp_path, folds, message):
    path = csv_of(tmp_path / "t.csv", {"a": ["x", "y", "x"], "fold": folds})
    with pytest.raises(InputError, match=message):
        load(path, split_column="fold")


def test_a_split_column_without_valid_or_without_test(tmp_path):
    columns = customers()
    data = load(csv_of(tmp_path / "t.csv", columns | {"f": ["train", "test"] * 300}), split_column="f")
    assert [len(part) for part in data.splits.values()] == [250, 50, 300]
    assert "valid is a sixth of train at random" in data.note
    data = load(csv_of(tmp_path / "u.csv", columns | {"f": ["train", "dev"] * 300}), split_column="f")
    assert [len(part) for part in data.splits.values()] == [300, 300, 0]
    assert list(data.not_known) == ["test"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split_column": "fold", "split": "80/10/10"}, "give one"),
        ({"split_column": "fold", "test": "t.csv"}, "give one of them"),
        ({"split_column": "fold", "given": "fold"}, "cannot be given"),
        ({"split_column": "folds"}, "did you mean 'fold'"),
        ({"split": "group:customers"}, "did you mean 'customer'"),
    ],
)
def test_options_that_say_two_things(tmp_path, options, message):
    path = csv_of(tmp_path / "t.csv", customers() | {"fold": [fold_of(n) for n in range(600)]})
    with pytest.raises(InputError, match=message):
        load(path, **options)


def test_a_list_of_records_takes_both():
    records = [{"c": n % 20, "v": "xy"[n % 2], "fold": fold_of(n)} for n in range(200)]
    assert load(records, split="group:c").unit == "groups of c"
    assert [len(part) for part in load(records, split_column="fold").splits.values()] == [75, 75, 50]


def test_only_a_table_has_such_columns(tmp_path):
    x = np.random.default_rng(0).integers(0, 3, (50, 4))
    with pytest.raises(InputError, match="only a table has columns"):
        load(x, split="group:c")
    with pytest.raises(InputError, match="'split_column' does not apply here"):
        load(x, split_column="c")
