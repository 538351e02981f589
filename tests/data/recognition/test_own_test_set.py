"""A test set from elsewhere, encoded as the source is, and shares of zero, for every kind of data."""

import json

import numpy as np
import pandas as pd
import pytest

from chainrule.data import load
from chainrule.errors import InputError
from chainrule.likelihood import EXAMPLES


def numbers(seed, shape=(120, 4)):
    return np.random.default_rng(seed).integers(0, 3, shape)


def words(seed, count=120):
    return ["".join("abc"[k] for k in row) for row in numbers(seed, (count, 5))]


def written(path, content):
    path.write_text(content)
    return str(path)


def table(path, seed):
    return written(path, "a,b\n" + "".join(f"{'xyz'[a]},{b}\n" for a, b, *_ in numbers(seed)))


def array(path, seed):
    np.save(path.with_suffix(".npy"), numbers(seed))
    return str(path.with_suffix(".npy"))


def images(path, seed):
    np.save(path.with_suffix(".npy"), numbers(seed, (120, 4, 4)))
    return str(path.with_suffix(".npy"))


def names(path, seed):
    return written(path.with_suffix(".txt"), "\n".join(words(seed)) + "\n")


def stream(path, seed):
    return written(path.with_suffix(".txt"), " ".join(words(seed)))


def sequences(path, seed):
    return written(path.with_suffix(".json"), json.dumps([list(word) for word in words(seed)]))


def fasta(path, seed):
    return written(path.with_suffix(".fasta"), "".join(f">{n}\n{word}\n" for n, word in enumerate(words(seed))))


KINDS = [table, array, images, names, stream, sequences, fasta]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.filterwarnings("ignore:of .* are distinct:UserWarning")
def test_a_test_set_of_its_own(tmp_path, kind):
    source, other = kind(tmp_path / "train.csv", 0), kind(tmp_path / "other.csv", 1)
    data, plain = load(source, test=other), load(source, split="90/10/0")
    assert data.test.digest() == data.encoding.encode(other).digest() != plain.test.digest()
    assert data.train.digest() == plain.train.digest()
    assert data.valid.digest() == plain.valid.digest()
    assert f"test is {other}, {len(data.test)} " in data.note
    assert data.options["test"] == other
    assert load(source, **data.options).digest() == data.digest()
    assert (data.test.units is None) == (data.unit == EXAMPLES)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("shares", ["90/10/0", "90/0/10", "1/0/0"])
@pytest.mark.filterwarnings("ignore:of .* are distinct:UserWarning")
def test_a_share_of_zero(tmp_path, kind, shares):
    data = load(kind(tmp_path / "t.csv", 0), split=shares)
    wanted = [float(share) > 0 for share in shares.split("/")]
    assert [len(part) > 0 for part in data.splits.values()] == wanted
    assert list(data.not_known) == [name for name, there in zip(data.splits, wanted, strict=True) if not there]
    for name, there in zip(data.splits, wanted, strict=True):
        if not there:
            with pytest.raises(InputError, match=f"there is no {name} split.*--split 80/10/10"):
                data.split(name)
    assert len(data.unseen)
    assert load(data.name, **data.options).digest() == data.digest()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.filterwarnings("ignore:of .* are distinct:UserWarning")
def test_an_empty_split_names_the_source_and_the_cause(tmp_path, kind):
    source = kind(tmp_path / "t.csv", 0)
    with pytest.raises(
        InputError, match=rf"{tmp_path}.*: the valid split is empty: of \d+ .*1000000/1/1 leave none for it"
    ):
        load(source, split="1000000/1/1")


def test_a_value_that_the_source_never_had_is_impossible(tmp_path):
    source = table(tmp_path / "train.csv", 0)
    other = written(tmp_path / "new.csv", "a,b\nx,1\nnew,1\nnew,1\n")
    data = load(source, test=other)
    assert data.test.batch(np.arange(3)).impossible.tolist() == [False, True, True]
    assert data.duplicates() == (1, 3)  # what has no place in the domain is like nothing in train


def test_how_many_of_a_test_set_stand_in_train():
    frame = [{"a": "xyz"[n % 3], "n": 7 * n % 101} for n in range(100)]
    data = load(frame, test=frame)
    assert data.duplicates() == (90, 100)


def test_copies_are_one_unit_where_a_split_goes_by_content(tmp_path):
    x = np.repeat(numbers(0, (60, 4, 4)), 2, axis=0)
    with pytest.warns(UserWarning, match="only 60 are distinct"):
        data = load(x)
    assert data.unit == data.test.units.name == "distinct examples"
    assert len(set(data.test.units.number.tolist())) * 2 == len(data.test)
    assert load({"train": x, "test": x[:7]}).test.units is None  # split as given


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"split": "80/10/10"}, "--test brings the test set"),
        ({"split": "order:1/1/1"}, "--test brings the test set"),
        ({"split": "80/10"}, "three shares"),
    ],
)
def test_a_split_that_takes_a_test_set_too_is_refused(tmp_path, options, message):
    source = table(tmp_path / "t.csv", 0)
    with pytest.raises(InputError, match=message):
        load(source, test=source, **options)


def test_a_source_with_a_test_split_takes_no_other(tmp_path):
    x = numbers(0)
    with pytest.raises(InputError, match="brings a test split of its own"):
        load({"train": x, "test": x}, test=x)
    with pytest.raises(InputError, match="test split of their own"):
        load("digits", test="digits")


def test_a_share_of_zero_for_valid_keeps_a_given_train_whole():
    x = numbers(0)
    assert [len(part) for part in load({"train": x, "test": x}, split="90/0/10").splits.values()] == [120, 0, 120]
    names = words(0)
    assert [len(part) for part in load({"train": names, "test": names}, split="90/0/10").splits.values()] == [
        120,
        0,
        120,
    ]


def test_groups_of_a_test_set_that_stand_in_train_are_said():
    rows = [{"c": n % 20, "v": "xy"[n % 2]} for n in range(200)]
    data = load(rows, test=[{"c": n, "v": "x"} for n in range(15, 25)], split="group:c:90/10/0")
    shared = set(range(15, 25)) & {
        int(row[0]) for row in data.encoding.decode(data.train.batch(np.arange(len(data.train))).x.numpy())
    }
    assert shared
    assert f"{len(shared)} of its groups of c are in train, too" in data.note


def test_a_test_set_of_an_object():
    assert [len(part) for part in load(numbers(0), test=numbers(1)).splits.values()] == [108, 12, 120]
    frame = pd.DataFrame({"a": [n * n % 13 for n in range(60)], "b": ["x", "y", "z"] * 20})
    assert [len(part) for part in load(frame, test=frame[:9]).splits.values()] == [54, 6, 9]
