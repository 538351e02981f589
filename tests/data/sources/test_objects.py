"""Python objects as sources: they give the elements that a file of the same content gives."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, TensorDataset

from chainrule import InputError
from chainrule.data import load
from chainrule.data.sources.objects import from_object

RNG = np.random.default_rng(0)
X = RNG.integers(0, 200, (60, 3, 4)).astype(np.uint8)
Y = RNG.integers(0, 3, 60)
RAGGED = [RNG.integers(0, 9, size).tolist() for size in RNG.integers(1, 9, 80)]
CHORDS = [[[k for k in range(60, 64) if RNG.random() < 0.4] for _ in range(4 + n % 2)] for n in range(40)]
TEXTS = [f"text number {n}" for n in range(60)]
RECORDS = [{"city": "AB"[n % 2], "age": n % 50, "height": round(1.5 + n / 100, 2)} for n in range(60)]


class Items(Dataset):
    """A torch data set of anything."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, n):
        return self.items[n]


class Columnar:
    """What chainrule reads of a Hugging Face data set, for where the library is absent."""

    def __init__(self, columns):
        self.columns = columns
        self.column_names = list(columns)

    def __len__(self):
        return len(next(iter(self.columns.values())))

    def __getitem__(self, key):
        return self.columns[key] if isinstance(key, str) else {name: x[key] for name, x in self.columns.items()}

    def with_format(self, name):
        return pd.DataFrame(self.columns)


def hugging_face(columns):
    """A data set of the library where it is installed, else its stand-in."""
    try:
        import datasets
    except ImportError:
        return Columnar(columns)
    return datasets.Dataset.from_dict(columns)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    np.save(home / "x.npy", X)
    np.savez(home / "xy.npz", x=X, y=Y)
    np.savez(home / "wide.npz", x=X.astype(np.int64), y=Y)
    np.savez(home / "parts.npz", x_train=X[:40], y_train=Y[:40], x_test=X[40:], y_test=Y[40:])
    (home / "ragged.json").write_text(json.dumps(RAGGED))
    (home / "chords.json").write_text(json.dumps(CHORDS))
    (home / "texts.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in TEXTS))
    pd.DataFrame(RECORDS).to_csv(home / "t.csv", index=False)
    return home


PICTURES = [Image.fromarray(x) for x in X]
SOURCES = {
    "an array": ("x.npy", X, {}),
    "a tensor": ("x.npy", torch.from_numpy(X), {}),
    "a list of arrays of one shape": ("x.npy", list(X), {}),
    "grey levels": ("x.npy", X, {"levels": 17}),
    "an array and its labels": ("xy.npz", (X, Y), {"given": "label"}),
    "a torch data set of pairs": (
        "xy.npz",
        TensorDataset(torch.from_numpy(X), torch.from_numpy(Y)),
        {"given": "label"},
    ),
    "a torch data set of single tensors": ("x.npy", TensorDataset(torch.from_numpy(X)), {}),
    "a torch data set of pictures": ("xy.npz", Items(list(zip(PICTURES, Y.tolist(), strict=True))), {"given": "label"}),
    "a torch data set of dictionaries": ("x.npy", Items([{"pixels": x, "name": "a"} for x in X]), {}),
    "splits": ("parts.npz", {"train": (X[:40], Y[:40]), "test": (X[40:], Y[40:])}, {"given": "label"}),
    "lists of several lengths": ("ragged.json", RAGGED, {}),
    "arrays of several lengths": ("ragged.json", [np.array(row) for row in RAGGED], {"window": 4, "stride": 2}),
    "a torch data set of sequences": ("ragged.json", Items([torch.tensor(row) for row in RAGGED]), {}),
    "lists of sets": ("chords.json", CHORDS, {"window": 3}),
    "a data set of sets": ("chords.json", hugging_face({"keys": CHORDS, "n": [1] * 40}), {}),
    "texts": ("texts.jsonl", TEXTS, {}),
    "a torch data set of texts": ("texts.jsonl", Items(TEXTS), {"symbols": "characters"}),
    "records": ("t.csv", RECORDS, {}),
    "a frame": ("t.csv", pd.DataFrame(RECORDS), {"given": "city"}),
    "a data set of texts": ("texts.jsonl", hugging_face({"text": TEXTS, "label": Y.tolist()}), {}),
    "a data set of lists": ("ragged.json", hugging_face({"ids": RAGGED, "name": ["a"] * 80}), {}),
    "a data set of a named field": (
        "ragged.json",
        hugging_face({"ids": RAGGED, "mask": RAGGED, "text": ["a"] * 80}),
        {"field": "ids"},
    ),
    "a data set of arrays": ("wide.npz", hugging_face({"x": X.tolist(), "label": Y.tolist()}), {"given": "label"}),
}


@pytest.mark.parametrize("name", SOURCES)
def test_an_object_gives_the_elements_of_its_file(home, name):
    file, source, options = SOURCES[name]
    data = load(source, **options)
    from_file = load(home / file, **{k: v for k, v in options.items() if k != "field"})
    assert data.digest() == from_file.digest()
    assert data.encoding.domain == from_file.encoding.domain
    assert "/" not in data.name
    whole = data.encoding.encode(source)
    again = from_file.encoding.encode(home / file)
    assert whole.digest() == again.digest()


def test_a_table_of_a_data_set(home):
    columns = {name: [record[name] for record in RECORDS] for name in RECORDS[0]}
    source = hugging_face(columns)
    assert from_object(source).form == "table"
    assert load(source).digest() == load(str(home / "t.csv")).digest()


def test_polars(home):
    polars = pytest.importorskip("polars", reason="polars is not installed")
    frame = polars.DataFrame(RECORDS)
    whole = load(str(home / "t.csv"))
    assert load(frame).digest() == whole.digest()
    parts = {"train": frame[:40], "valid": frame[40:50], "test": frame[50:]}
    data = load(parts)
    assert [len(data.split(name)) for name in ("train", "valid", "test")] == [40, 10, 10]
    assert data.encoding.decode(data.test.x)[0] == ["A", "0", "2.00"]
    gaps = frame.with_columns(city=polars.when(polars.col("age") > 40).then(None).otherwise(polars.col("city")))
    assert load(gaps).encoding.columns[0].missing == ""


def test_hugging_face(tmp_path):
    datasets = pytest.importorskip("datasets", reason="the datasets library is not installed")
    images = datasets.Dataset.from_dict(
        {"image": PICTURES, "label": Y.tolist()},
        features=datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(3)}),
    )
    splits = datasets.DatasetDict({"train": images.select(range(40)), "test": images.select(range(40, 60))})
    np.savez(tmp_path / "a.npz", x_train=X[:40], y_train=Y[:40], x_test=X[40:], y_test=Y[40:])
    for options in ({"given": "label"}, {"levels": 2}):
        assert load(splits, **options).digest() == load(str(tmp_path / "a.npz"), **options).digest()
    texts = datasets.Dataset.from_dict({"text": TEXTS})
    data = load(
        datasets.DatasetDict({"train": texts.select(range(40)), "validation": texts.select([40]), "test": texts})
    )
    assert [len(data.split(name)) for name in ("train", "valid", "test")] == [40, 1, 60]
    assert "split as given" in data.note


def test_splits_of_lists_as_given():
    data = load({"train": RAGGED[:40], "test": RAGGED[40:]})
    assert len(data.train) + len(data.valid) == 40
    assert len(data.test) == 40
    ordered = load(TEXTS, split="order:40/10/10")
    assert ordered.encoding.decode(ordered.test.batch(np.arange(1)).x.numpy()) == [b"text number 50"]


def test_a_fit_on_objects_keeps_what_reads_files(home, tmp_path):
    from chainrule.runs.fit import fit
    from chainrule.runs.run import Run

    data = load(RAGGED)
    run = fit(RAGGED, out=tmp_path / "run", width=8, depth=1, steps=1, evaluate_every=1)
    assert Run.open(run.path).encoding().encode(home / "ragged.json").digest() == data.encoding.encode(RAGGED).digest()
    with pytest.raises(InputError, match="was fitted with a Python object"):
        Run.open(run.path).data()


class Endless(Dataset):
    def __getitem__(self, n):
        return n


BAD = {
    "an iterator": (iter([1]), "got list_iterator"),
    "bytes": (b"abc", "got bytes"),
    "a torch data set without a length": (Endless(), "got Endless"),
    "nothing": ([], "holds no examples"),
    "single numbers": ([1, 2, 3], "expected an array, a list or a text"),
    "an unknown split": ({"train": X, "text": X}, "unknown split 'text'; did you mean 'test'"),
    "no test split": ({"train": X}, "expected train, test and perhaps valid"),
    "splits of two kinds": ({"train": X, "test": TEXTS}, "the splits hold arrays and texts"),
    "an unknown field": (hugging_face({"ids": RAGGED}), "unknown field 'id'; did you mean 'ids'", {"field": "id"}),
    "several columns of lists": (hugging_face({"a": RAGGED, "b": RAGGED}), "columns a, b hold lists"),
    "an empty text": (["a", ""], "the list text 2: is empty"),
    "an empty list": ([[1, 2], []], "sequence 2: is empty"),
    "images of reals": (RNG.normal(size=(30, 2, 2)), "is not an integer; quantise"),
    "labels that are too few": ((X, Y[:5]), r"labels have the shape \(5,\)"),
    "an option of texts": (X, "'symbols' does not apply here", {"symbols": "bytes"}),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_objects_are_refused_with_the_reason(case):
    source, words, *options = BAD[case]
    with pytest.raises(InputError, match=words) as error:
        load(source, **(options[0] if options else {}))
    assert "\n" not in str(error.value)


def test_an_object_of_another_kind_than_the_fitted_one_is_refused():
    encoding = load(X).encoding
    with pytest.raises(InputError, match="holds texts, expected arrays"):
        encoding.encode(TEXTS)
    with pytest.raises(InputError, match="expected examples of 12 elements"):
        encoding.encode(X[:, :2])
    assert len(load(RAGGED).encoding.encode([[1, 2], [3, 4]])) == 2


def _turned(folder):
    for n in range(20):
        picture = Image.fromarray(np.random.default_rng(n).integers(0, 256, (6, 8), np.uint8))
        exif = picture.getexif()
        exif[0x0112] = 6  # a quarter turn
        picture.save(folder / f"{n:02}.png", exif=exif)


def _opaque(folder):
    for n in range(20):
        x = np.random.default_rng(n).integers(0, 256, (6, 8, 4), np.uint8)
        x[..., 3] = 255
        Image.fromarray(x, "RGBA").save(folder / f"{n:02}.png")


def _of_one_bit(folder):
    for n in range(20):
        Image.fromarray(np.random.default_rng(n).random((6, 8)) < 0.5).save(folder / f"{n:02}.png")


@pytest.mark.filterwarnings("ignore:'mode' parameter")
@pytest.mark.parametrize("write", [_turned, _opaque, _of_one_bit])
def test_pictures_are_read_as_their_files_are(tmp_path, write):
    write(tmp_path)
    files = sorted(tmp_path.iterdir())
    by_file = load(str(tmp_path), split="random:80/10/10")
    for unpacked in (False, True):
        pictures = [Image.open(file) for file in files]
        for picture in pictures if unpacked else ():
            picture.load()
        x = load(pictures, split="random:80/10/10")
        for name, part in by_file.splits.items():
            assert (x.split(name).batch(np.arange(len(part))).x == part.batch(np.arange(len(part))).x).all()


def test_pictures_that_are_refused_as_files_are_refused_as_objects():
    grey, transparent = Image.new("L", (4, 4)), Image.new("RGBA", (4, 4), (1, 2, 3, 9))
    with pytest.raises(InputError, match="transparent"):
        load([transparent] * 9)
    with pytest.raises(InputError, match=r"colours of print \(CMYK\)"):
        load([grey.convert("CMYK")] * 9)


@pytest.mark.parametrize(
    ("examples", "message"),
    [(["a", None] * 9, "example 2 is None, expected a text"), (np.ones((9, 2)) * 1j, "a sequence has .*1j")],
)
def test_an_example_of_another_kind_is_named(examples, message):
    with pytest.raises(InputError, match=message):
        load(examples)
