"""Images in and out: PNG folders, IDX and arrays give the same elements; bits are drawn as stated."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from chainrule import Domain, InputError
from chainrule.cli.app import main
from chainrule.data import encoding_from_json, load
from chainrule.data.encodings.images import ImageEncoding
from chainrule.data.examples.levels import DrawnBits, to_grey, to_levels
from chainrule.data.sources.idx import read_idx
from chainrule.noise import uniforms


def write_idx(path, x):
    header = bytes([0, 0, 8, x.ndim]) + struct.pack(f">{x.ndim}I", *x.shape)
    with gzip.open(path, "wb") as file:
        file.write(header + x.tobytes())


def write_pngs(folder, x, y):
    for k, (image, label) in enumerate(zip(x, y, strict=True)):
        place = folder / str(label)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(place / f"{k:05d}.png")


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """The same 48 images, sorted by label, as IDX, as npz and as folders of PNG."""
    home = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    x = {part: rng.integers(0, 256, (n, 5, 4)).astype(np.uint8) for part, n in (("train", 36), ("test", 12))}
    y = {part: np.sort(rng.integers(0, 3, len(x[part]))) for part in x}
    (home / "idx").mkdir()
    for part, name in (("train", "train"), ("test", "t10k")):
        write_idx(home / "idx" / f"{name}-images-idx3-ubyte.gz", x[part])
        write_idx(home / "idx" / f"{name}-labels-idx1-ubyte.gz", y[part].astype(np.uint8))
        write_pngs(home / "png" / part, x[part], y[part])
    np.savez(home / "x.npz", x_train=x["train"], y_train=y["train"], x_test=x["test"], y_test=y["test"])
    return home


@pytest.mark.parametrize("options", [{}, {"levels": 17, "given": "label"}, {"binarize": "fixed"}])
def test_one_set_of_images_from_three_sources(sources, options):
    names = ("idx", "idx/t10k-images-idx3-ubyte.gz", "png", "x.npz")
    options = {"levels": 256} | options if "binarize" not in options else options
    digests = {load(str(sources / name), **options).digest() for name in names}
    assert len(digests) == 1


def test_mnist_is_the_same_from_idx_and_from_its_pngs(shared_data):
    pixels = {
        s: read_idx(shared_data / "mnist" / f"{p}-images-idx3-ubyte.gz")
        for s, p in (("train", "train"), ("test", "t10k"))
    }
    folder = shared_data / "mnist_png_sample"
    data = load(str(folder))
    assert data.encoding.domain.shape == (28, 28)
    for split, whole in pixels.items():
        files = sorted((folder / split).rglob("*.png"))
        expected = np.stack([whole[int(file.stem) % 60_000] for file in files]).reshape(len(files), -1)
        found = data.test.x if split == "test" else np.concatenate([data.train.x, data.valid.x])
        assert sorted(map(bytes, found)) == sorted(map(bytes, expected))
    assert len(data.test) == 50


def write_mnist(home, parts):
    """The same images, sorted by label, as IDX, as npz and as class folders of PNG."""
    (home / "idx").mkdir()
    arrays = {}
    for (split, (x, y)), name in zip(parts.items(), ("train", "t10k"), strict=True):
        order = np.argsort(y, kind="stable")
        x, y = x[order], y[order]
        write_idx(home / "idx" / f"{name}-images-idx3-ubyte.gz", x)
        write_idx(home / "idx" / f"{name}-labels-idx1-ubyte.gz", y)
        write_pngs(home / "png" / split, x, y)
        arrays |= {f"x_{split}": x, f"y_{split}": y}
    np.savez(home / "x.npz", **arrays)


def read_mnist(shared_data, rows):
    return {
        split: tuple(
            read_idx(shared_data / "mnist" / f"{name}-{what}-idx{axes}-ubyte.gz")[rows]
            for what, axes in (("images", 3), ("labels", 1))
        )
        for split, name in (("train", "train"), ("test", "t10k"))
    }


@pytest.mark.parametrize("count", [60, pytest.param(4000, marks=pytest.mark.slow)])
def test_mnist_from_idx_from_npz_and_from_a_folder_of_pngs(shared_data, tmp_path, count):
    write_mnist(tmp_path, read_mnist(shared_data, slice(count)))
    for options in ({"given": "label", "levels": 256}, {"binarize": "fixed"}):
        digests = {load(str(tmp_path / name), **options).digest() for name in ("idx", "x.npz", "png")}
        assert len(digests) == 1


@pytest.mark.slow
def test_all_of_mnist_from_idx_and_from_npz(shared_data, tmp_path):
    parts = read_mnist(shared_data, slice(None))
    arrays = {f"x_{split}": x for split, (x, _) in parts.items()} | {f"y_{s}": y for s, (_, y) in parts.items()}
    np.savez(tmp_path / "x.npz", **arrays)
    idx, npz = (load(str(source), levels=256) for source in (shared_data / "mnist", tmp_path / "x.npz"))
    assert [len(idx.split(split)) for split in ("train", "valid", "test")] == [50_000, 10_000, 10_000]
    assert idx.digest() == npz.digest()


@given(st.integers(2, 256), st.data())
def test_levels_are_recovered_from_grey_values(levels, data):
    x = np.array(data.draw(st.lists(st.integers(0, levels - 1), min_size=1)), dtype=np.uint8)
    assert (to_levels(to_grey(x, levels), levels) == x).all()


@pytest.mark.parametrize(
    "options", [{"levels": 2}, {"levels": 17}, {"levels": 256}, {"binarize": "fixed"}, {"binarize": "dynamic"}]
)
def test_samples_written_as_png_are_read_again(sources, tmp_path, options):
    encoding = encoding_from_json(load(str(sources / "idx"), **options).encoding.to_json())
    x = np.random.default_rng(1).integers(0, encoding.domain.num_symbols, (7, 20))
    for name, content in encoding.write_folder(encoding.decode(x)).items():
        (tmp_path / name).write_bytes(content)
    again = encoding.encode(str(tmp_path))
    assert (again.batch(np.arange(7)).x.numpy() == x).all()


@settings(max_examples=15)
@given(st.data())
def test_any_image_survives_its_png(tmp_path_factory, data):
    shape = data.draw(st.sampled_from([(1, 1), (3, 4), (2, 3, 3)]))
    levels = data.draw(st.sampled_from([2, 5, 17, 100, 256]))
    encoding = ImageEncoding(Domain(shape, levels, ordinal=levels > 2))
    size = encoding.domain.length
    rows = st.lists(st.integers(0, levels - 1), min_size=size, max_size=size)
    x = np.array(data.draw(st.lists(rows, min_size=1, max_size=4)))
    home = tmp_path_factory.mktemp("any")
    for name, content in encoding.write_folder(encoding.decode(x)).items():
        (home / name).write_bytes(content)
    assert (encoding.encode(str(home)).batch(np.arange(len(x))).x.numpy() == x).all()


def test_colour_images_are_recovered_from_their_elements(tmp_path):
    x = np.random.default_rng(2).integers(0, 256, (9, 3, 4, 3)).astype(np.uint8)
    for k, image in enumerate(x):
        Image.fromarray(image).save(tmp_path / f"{k}.png")
    data = load(str(tmp_path), split="order:5/2/2")
    assert data.encoding.domain.shape == (3, 4, 3)
    assert (data.train.x == x[:5].reshape(5, -1)).all()
    assert (data.encoding.decode(data.test.x) == x[7:]).all()


def test_bits_are_bernoulli_draws_with_a_key():
    grey = np.tile(np.array([[0, 51, 204, 255]], dtype=np.uint8), (20_000, 1))
    examples = DrawnBits(grey, key=3)
    rows = np.arange(20_000)
    x = examples.batch(rows).x.numpy()
    assert x.mean(0) == pytest.approx([0, 0.2, 0.8, 1], abs=0.012)
    assert (x == (uniforms(3, rows, range(4)) < grey / 255)).all()
    assert (examples.batch(rows[100:110]).x.numpy() == x[100:110]).all()


def test_only_training_draws_new_bits_each_epoch(sources):
    rows = np.arange(6)
    dynamic, fixed = (load(str(sources / "idx"), binarize=how) for how in ("dynamic", "fixed"))
    draws = [dynamic.train.epoch(0, epoch).batch(rows).x for epoch in (0, 1, 1)]
    assert not (draws[0] == draws[1]).all()
    assert (draws[1] == draws[2]).all()
    for split in ("valid", "test"):
        examples = dynamic.split(split)
        assert (examples.epoch(0, 1).batch(rows).x == examples.batch(rows).x).all()
        assert (examples.batch(rows).x == fixed.split(split).batch(rows).x).all()
    assert (fixed.train.epoch(0, 1).batch(rows).x == fixed.train.batch(rows).x).all()


def test_labels_are_the_context(sources):
    data = load(str(sources / "png"), given="label")
    assert data.encoding.conditions.network_options == {"num_classes": 3}
    assert data.encoding.protocol.context == "label"
    test = data.test.batch(np.arange(12)).context
    assert (test.numpy() == np.load(sources / "x.npz")["y_test"]).all()
    assert data.encoding.conditions.parse("2").tolist() == [2]
    with pytest.raises(InputError, match="the classes are 0, 1, 2"):
        data.encoding.conditions.parse("7")


def test_digits_take_their_label(tmp_path):
    data = load("digits", given="label")
    assert (data.encoding.domain.shape, len(data.encoding.conditions.names)) == ((8, 8), 10)
    assert encoding_from_json(data.encoding.to_json()) == data.encoding


def test_duplicates_are_counted(tmp_path):
    x = np.arange(40).reshape(20, 2)
    x[18], x[19] = x[0], x[1]
    np.save(tmp_path / "x.npy", x)
    assert load(str(tmp_path / "x.npy"), split="order:80/10/10").duplicates() == (2, 2)
    assert load(str(tmp_path / "x.npy"), split="40/30/30").duplicates()[0] == 0
    both = {"train": [[1, 2], [3]], "valid": [[4]], "test": [[3], [3], [1, 2, 3]]}
    assert load(both).duplicates() == (2, 3)
    grey = np.tile(np.arange(9, dtype=np.uint8)[:, None, None], (1, 2, 2))
    images = {"train": (grey, np.arange(9) % 2), "test": (grey[:4], np.array([0, 1, 0, 0]))}
    assert load(images, binarize="fixed").duplicates() == (4, 4)
    assert load(images, binarize="fixed", given="label").duplicates() == (3, 4)
    (tmp_path / "a.txt").write_text("a stream of text " * 9)
    assert load(tmp_path / "a.txt").duplicates() is None


# --- bad input: one line that names the file --------------------------------------------------------------------------


def png(path, side=4, mode="L"):
    Image.new(mode, (side, side)).save(path)


def _bomb(tmp):
    import zlib

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    chunk = lambda kind, body: struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))  # noqa: E731
    (tmp / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )


def _torn(tmp):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64)).astype(np.uint8)).save(tmp / "b.png")
    (tmp / "b.png").write_bytes((tmp / "b.png").read_bytes()[:2000])
    (tmp / "a.png").unlink()


def _labels(tmp):
    write_idx(tmp / "train-images-idx3-ubyte.gz", np.zeros((3, 2, 2), np.uint8))
    write_idx(tmp / "train-labels-idx1-ubyte.gz", np.zeros(2, np.uint8))


def _cut(tmp):
    write_idx(
        tmp / "train-images-idx3-ubyte.gz", np.random.default_rng(0).integers(0, 256, (30, 9, 9)).astype(np.uint8)
    )
    path = tmp / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-900])


def _short(tmp):
    with gzip.open(tmp / "train-images-idx3-ubyte.gz", "wb") as file:
        file.write(bytes([0, 0, 8, 3]) + struct.pack(">3I", 9, 9, 9) + b"12")


BAD = {
    "a bomb": (_bomb, {}, r"bomb.png: has 100000x100000 pixels|bomb.png: has more than"),
    "no image inside": (lambda t: (t / "b.png").write_bytes(b"no image"), {}, "b.png: is not a PNG or JPEG"),
    "an image cut off": (_torn, {}, "b.png: .*damaged"),
    "another file": (lambda t: (t / "readme.txt").write_text("hello"), {}, "readme.txt: is neither"),
    "another size": (lambda t: png(t / "b.png", side=5), {}, "b.png: is 5x5 grey, but the first image is 4x4"),
    "another mode": (lambda t: png(t / "b.png", mode="RGB"), {}, "b.png: is 4x4 RGB"),
    "sixteen bits": (lambda t: png(t / "b.png", mode="I;16"), {}, "mode I;16"),
    "no labels": (lambda t: None, {"given": "label"}, "no labels to condition on"),
    "another condition": (lambda t: None, {"given": "age"}, "use --given label"),
    "one level": (lambda t: None, {"levels": 1}, "from 2 to 256 levels, got 1"),
    "an unknown binarization": (lambda t: None, {"binarize": "dynamc"}, "did you mean 'dynamic'"),
    "levels of bits": (lambda t: None, {"binarize": "fixed", "levels": 17}, "have 2 levels, got 17"),
    "a truncated gzip": (_cut, {}, "train-images-idx3-ubyte.gz: the gzip file is cut off or damaged"),
    "a short IDX": (_short, {}, "its header promises 745"),
    "labels that are too few": (_labels, {}, "has 2 labels for 3 images"),
    "an option of tables": (lambda t: None, {"drop": "a"}, "does not apply here"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_images_are_refused_by_name(tmp_path, case):
    prepare, options, words = BAD[case]
    for name in ("a", "c", "d"):
        png(tmp_path / f"{name}.png")
    prepare(tmp_path)
    with pytest.raises(InputError, match=words):
        load(str(tmp_path), **options)


def test_an_array_of_many_channels_is_not_an_image(tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).integers(0, 2, (60, 4, 4, 5)))
    assert not load(str(tmp_path / "a.npy")).encoding.is_image
    assert load(str(tmp_path / "a.npy"), shape=(4, 20)).encoding.is_image
    size = ["--width", "8", "--depth", "1", "--steps", "2"]
    assert main(["fit", str(tmp_path / "a.npy"), *size, "--out", str(tmp_path / "run")]) == 0
