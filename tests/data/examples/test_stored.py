"""Arrays on disk: whole or not at all, whatever happens while they are written; images and texts larger than memory."""

import builtins
import errno
import json
from contextlib import nullcontext

import numpy as np
import pytest
from PIL import Image

from chainrule import InputError
from chainrule.data import load
from chainrule.data.alphabets.tokens import Tokens
from chainrule.data.examples.stored import Selected, stored, take, write_stored

PIECES = [(np.arange(12, dtype=np.uint16).reshape(4, 3) + k, 4) for k in range(5)]
WHOLE = np.concatenate([piece for piece, _ in PIECES])


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def ignore(done):
    pass


def showing(advance):
    """A progress bar that is nothing but its function."""
    return lambda what, total: nullcontext(advance)


def test_an_array_is_written_once_and_mapped(cache):
    done = []
    for _ in range(2):
        x = stored("a key", lambda: PIECES, "test", 20, showing(done.append))
        assert isinstance(x, np.memmap)
        assert (x == WHOLE).all()
    assert done == [4] * 5
    assert (stored("another", lambda: PIECES[:1], "test", 4) == WHOLE[:4]).all()
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("piece", range(5))
@pytest.mark.parametrize("error", [KeyboardInterrupt, InputError("b.png: is not a PNG or JPEG inside")])
def test_an_interruption_leaves_nothing(cache, piece, error):
    def broken():
        yield from PIECES[:piece]
        raise error

    with pytest.raises(error if isinstance(error, type) else InputError):
        write_stored(cache / "k", broken(), ignore)
    assert list(cache.iterdir()) == []
    write_stored(cache / "k", PIECES, ignore)
    assert sorted(file.name for file in cache.rglob("*")) == ["content.bin", "content.json", "k"]


class FullDisk:
    """A disk that takes so many more operations and is then full."""

    def __init__(self, left):
        self.left = left

    def spend(self):
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")

    def open(self, path, mode="r", **options):
        file, disk = builtins.open(path, mode, **options), self  # noqa: SIM115
        if "w" not in mode:
            return file

        class Watched:
            def __enter__(self):
                return self

            def __exit__(self, *error):
                file.close()

            def __getattr__(self, name):
                return getattr(file, name)

            def write(self, content):
                disk.spend()
                return file.write(content)

        return Watched()


def test_a_full_disk_at_any_moment_is_one_line_and_leaves_nothing(cache, monkeypatch):
    told = []
    while True:
        disk = FullDisk(len(told))
        with monkeypatch.context() as patch:
            patch.setattr("chainrule.data.examples.stored.open", disk.open, raising=False)
            for name in ("fsync", "rename"):
                real = getattr(__import__("os"), name)
                patch.setattr(f"os.{name}", lambda *a, real=real, disk=disk: (disk.spend(), real(*a))[1])
            try:
                write_stored(cache / "k", PIECES, ignore)
            except InputError as error:
                told.append(str(error))
            else:
                break
        if (cache / "k").exists():  # what failed was the last sync, after the rename
            assert (cache / "k" / "content.bin").read_bytes() == WHOLE.tobytes()
        else:
            assert list(cache.iterdir()) == []
    assert len(told) >= 10  # five pieces; the sync of two files, of their directory and of its parent; the rename
    assert all("cannot be written (No space left on device)" in line and "\n" not in line for line in told)
    assert (cache / "k" / "content.bin").read_bytes() == WHOLE.tobytes()


@pytest.mark.skipif(not __import__("pathlib").Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_full_disk_is_an_input_error(cache, monkeypatch):
    def full(path, mode="r", **options):
        return builtins.open("/dev/full" if "w" in mode else path, mode, **options)

    monkeypatch.setattr("chainrule.data.examples.stored.open", full, raising=False)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
        write_stored(cache / "k", PIECES * 10_000, ignore)
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_an_input_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="set CHAINRULE_CACHE to another place"):
        stored("key", lambda: PIECES, "test", 20)


def test_the_array_of_a_quicker_process_stays(cache):
    def meanwhile():
        yield PIECES[0]
        write_stored_by_another = cache / "k"
        write_stored_by_another.mkdir()
        (write_stored_by_another / "content.json").write_text("{}")

    write_stored(cache / "k", meanwhile(), ignore)
    assert (cache / "k" / "content.json").read_text() == "{}"
    assert [file.name for file in cache.iterdir()] == ["k"]


def test_a_damaged_array_is_refused(cache):
    stored("key", lambda: PIECES, "test", 20)
    (content,) = cache.rglob("content.bin")
    content.write_bytes(content.read_bytes()[:-1])
    with pytest.raises(InputError, match="damaged; remove that directory"):
        stored("key", lambda: PIECES, "test", 20)


def test_rows_of_a_stored_array_are_read_when_needed(cache):
    x = stored("key", lambda: PIECES, "test", 20)
    rows = np.array([3, 1, 7, 19])
    late = take(x, rows)
    assert isinstance(late, Selected)
    assert (late.shape, len(late)) == ((4, 3), 4)
    assert (late[np.array([2, 0])] == WHOLE[[7, 3]]).all()
    assert (late[1:3] == WHOLE[[1, 7]]).all()
    assert isinstance(take(WHOLE, rows), np.ndarray)


# --- images -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Forty images in class folders, sorted by label."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for split, n in (("train", 30), ("test", 10)):
        for k in range(n):
            place = folder / split / "ab"[k >= n // 2]
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (6, 5)).astype(np.uint8)).save(place / f"{k:02d}.png")
    return folder


@pytest.mark.parametrize(
    "options",
    [{}, {"levels": 17, "given": "label"}, {"binarize": "fixed"}, {"binarize": "dynamic", "given": "label"}],
)
def test_images_on_disk_are_the_images_in_memory(folder, cache, monkeypatch, options):
    small = load(str(folder), **options)
    monkeypatch.setattr("chainrule.data.sources.image_folder.LARGE", 100)
    monkeypatch.setattr("chainrule.data.sources.image_folder.CHUNK", 7)
    large = load(str(folder), **options)
    assert not isinstance(getattr(large.train, "x", None), np.ndarray)
    assert large.digest() == small.digest()
    assert large.note == small.note
    for split in ("train", "valid", "test"):
        one, other = (data.split(split).epoch(3, 1) for data in (small, large))
        rows = np.arange(len(one))[::-1].copy()
        a, b = one.batch(rows), other.batch(rows)
        assert (a.x == b.x).all()
        assert (a.context is None) == (b.context is None)
        assert a.context is None or (a.context == b.context).all()
    alone = load(str(folder / "train"), **options, split="60/20/20")
    assert large.encoding.encode(str(folder / "test")).digest() == large.encoding.encode(str(folder)).digest()
    assert sum(len(alone.split(split)) for split in ("train", "valid", "test")) == 30
    monkeypatch.setattr("chainrule.data.sources.image_folder._read", lambda files: pytest.fail("prepared twice"))
    assert load(str(folder), **options).digest() == small.digest()


def test_a_bad_image_leaves_nothing_prepared(folder, cache, monkeypatch):
    monkeypatch.setattr("chainrule.data.sources.image_folder.LARGE", 100)
    monkeypatch.setattr("chainrule.data.sources.image_folder.CHUNK", 7)
    bad = folder / "train" / "b" / "99.png"
    bad.write_bytes(b"no image")
    try:
        with pytest.raises(InputError, match=r"99.png: is not a PNG or JPEG"):
            load(str(folder))
    finally:
        bad.unlink()
    assert not list(cache.rglob("*"))  # train is the first split that is prepared


def test_a_changed_folder_is_prepared_anew(folder, cache, monkeypatch):
    monkeypatch.setattr("chainrule.data.sources.image_folder.LARGE", 100)
    before = load(str(folder)).digest()
    added = folder / "test" / "b" / "99.png"
    Image.fromarray(np.zeros((6, 5), np.uint8)).save(added)
    try:
        assert len(load(str(folder)).test) == 11
    finally:
        added.unlink()
    assert load(str(folder)).digest() == before


def test_a_full_disk_ends_the_command_with_one_line(tmp_path, cache, monkeypatch, capsys):
    from chainrule.cli.app import main

    (tmp_path / "a.txt").write_text("some words and some more\n" * 200)
    (tmp_path / "t.json").write_text(Tokens.trained("some words and some more\n" * 20, 280).specification)
    monkeypatch.setattr("chainrule.data.encodings.text.LARGE", 100)
    monkeypatch.setattr("chainrule.data.sources.stored_text.LARGE", 100)
    monkeypatch.setattr("chainrule.data.examples.stored.open", FullDisk(0).open, raising=False)
    arguments = ["fit", str(tmp_path / "a.txt"), "--symbols", str(tmp_path / "t.json"), "--out", str(tmp_path / "run")]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert (error.startswith("error: "), error.count("\n")) == (True, 1)
    assert "free some space" in error
    assert not (tmp_path / "run").exists()
    assert list(cache.iterdir()) == []


def test_the_header_of_a_stored_array_is_json(cache):
    write_stored(cache / "k", PIECES, ignore)
    assert json.loads((cache / "k" / "content.json").read_text()) == {"dtype": "<u2", "shape": [20, 3]}
