"""Loading: what a source is recognised as, and what its options mean."""

import numpy as np
import pytest

from chainrule import Domain, InputError
from chainrule.data import encoding_from_json, load
from chainrule.data import open as open_as_before
from chainrule.data.examples.splits import split_by_content


def test_digits_have_the_split_of_the_literature():
    data = load("digits")
    assert [len(data.split(name)) for name in ("train", "valid", "test")] == [1000, 350, 447]
    assert data.encoding.domain == Domain((8, 8), 17, ordinal=True)
    batch = data.test.batch(np.arange(447))
    assert (int(batch.x.min()), int(batch.x.max())) == (0, 16)
    assert data.digest() == load("digits").digest()


def test_npz_with_splits(tmp_path):
    x = np.random.default_rng(0).integers(0, 2, (30, 12)).astype(np.uint8)
    np.savez(tmp_path / "a.npz", train=x[:10], valid=x[10:20], test=x[20:])
    data = load(str(tmp_path / "a.npz"))
    assert data.encoding.domain.num_symbols == 2
    assert (data.test.batch(np.arange(10)).x.numpy() == x[20:]).all()
    shaped = load(str(tmp_path / "a.npz"), shape=(3, 4))
    assert shaped.encoding.domain.shape == (3, 4)
    again = encoding_from_json(shaped.encoding.to_json())
    assert again == shaped.encoding
    assert (again.decode(x) == x.reshape(30, 3, 4)).all()


def test_a_split_by_content_keeps_equal_rows_together(tmp_path):
    x = np.random.default_rng(0).integers(0, 5, (400, 3))
    np.save(tmp_path / "a.npy", x)
    with pytest.warns(UserWarning, match="are distinct"):
        data = load(str(tmp_path / "a.npy"), split="distinct:80/10/10")
    parts = [
        {tuple(row) for row in data.split(name).batch(np.arange(len(data.split(name)))).x.tolist()}
        for name in ("train", "valid", "test")
    ]
    assert sum(map(len, parts)) == len(set.union(*parts))
    assert sum(len(data.split(name)) for name in ("train", "valid", "test")) == 400


def test_splits_have_the_requested_shares():
    rows = np.arange(5000).reshape(-1, 1)
    sizes = [len(part) / 5000 for part in split_by_content(rows, (0.8, 0.1, 0.1))]
    assert sizes == pytest.approx([0.8, 0.1, 0.1], abs=0.02)


def test_grey_images_have_256_levels(tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).integers(0, 200, (50, 4, 4)).astype(np.uint8))
    assert load(str(tmp_path / "a.npy")).encoding.domain == Domain((4, 4), 256, ordinal=True)


def test_text_is_read_as_bytes_and_split_in_order(tmp_path):
    content = bytes(range(256)) * 8
    (tmp_path / "a.txt").write_bytes(content)
    data = load(str(tmp_path / "a.txt"), window=64)
    pieces = [data.split(name).stream.tobytes() for name in ("train", "valid", "test")]
    assert b"".join(pieces) == content
    assert [len(piece) for piece in pieces] == [1638, 205, 205]
    x = data.train.batch(np.array([0])).x.numpy()
    assert data.encoding.decode(x) == [content[:64]]


def test_domains_name_the_first_bad_element():
    domain = Domain((2,), 3)
    for bad, words in (
        (np.array([[0, 1], [3, 0]]), r"3 at \(1, 0\)"),
        (np.array([[0, -1]]), r"-1 at \(0, 1\)"),
        (np.array([[0.0, 1.0]]), "dtype float64"),
    ):
        with pytest.raises(InputError, match=words):
            domain.check(bad)
    with pytest.raises(InputError, match="nan at"):
        Domain((2,), None).check(np.array([[0.0, np.nan]]))
    assert Domain.from_json(domain.to_json()) == domain


def test_names_of_the_version_before_work_with_a_warning():
    with pytest.warns(DeprecationWarning, match="is called load now"):
        assert open_as_before("digits").digest() == load("digits").digest()
    with pytest.warns(FutureWarning, match="blocks is called pixel_block now"):
        assert load("digits", blocks=2).encoding.pixel_block == 2


def test_words_that_were_loaded_as_a_stream_are_loaded_again_as_a_stream(tmp_path):
    (tmp_path / "names.txt").write_text("".join(f"name{n}\n" for n in range(100)))
    data = load(str(tmp_path / "names.txt"), documents="stream", window=8)
    assert data.train.is_stream
    assert load(data.name, **data.options).digest() == data.digest()


def test_every_option_of_a_data_set_loads_it_again(tmp_path):
    np.save(tmp_path / "a.npy", np.random.default_rng(0).integers(0, 5, (100, 12)))
    data = load(str(tmp_path / "a.npy"), shape=(3, 4), pixel_block=None)
    assert load(data.name, **data.options).digest() == data.digest()


def test_arrays_with_many_channels_are_not_read_in_pixel_blocks():
    bits = np.random.default_rng(0).integers(0, 2, (30, 2, 2, 5))
    data = load({"train": bits, "valid": bits, "test": bits})
    assert (data.encoding.is_image, data.encoding.group) == (False, "image")
    with pytest.raises(InputError, match="pixel blocks need images"):
        load({"train": bits, "valid": bits, "test": bits}, pixel_block=2)
