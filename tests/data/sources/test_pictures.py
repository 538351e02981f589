"""Pictures as people have them: what each kind of file is read as, and which are refused by name."""

import os

import numpy as np
import pytest
from PIL import Image

from chainrule import InputError
from chainrule.data import encoding_from_json, load
from chainrule.data.sources.folders import files_below, natural_key
from chainrule.data.sources.picture_files import Pictures

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (6, 4)).astype(np.uint8)
RGB = RNG.integers(0, 256, (6, 4, 3)).astype(np.uint8)
DEEP = RNG.integers(0, 65536, (6, 4)).astype(np.uint16)


def write_folder(folder, count=10, size=(6, 4), **kept):
    folder.mkdir(parents=True, exist_ok=True)
    for k in range(count):
        Image.fromarray(RNG.integers(0, 256, size).astype(np.uint8)).save(folder / f"{k}.png", **kept)


def deep_colours(path):
    """A PNG of 6x4 pixels with 16 bits per colour, which pillow cannot write; its values."""
    import struct
    import zlib

    values = RNG.integers(0, 65536, (6, 4, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", 4, 6, 16, 2, 0, 0, 0)), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(part)) + name + part + struct.pack(">I", zlib.crc32(name + part)) for name, part in chunks
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    return values


# --- one file ---------------------------------------------------------------------------------------------------------

WITH_ALPHA = np.dstack([RGB, np.full((6, 4), 255, np.uint8)])
READ = {  # a picture, how it is saved, the bytes it is read as
    "grey.png": (Image.fromarray(GREY), {}, GREY),
    "colour.png": (Image.fromarray(RGB), {}, RGB),
    "colour.bmp": (Image.fromarray(RGB), {}, RGB),
    "colour.tiff": (Image.fromarray(RGB), {}, RGB),
    "colour.webp": (Image.fromarray(RGB), {"lossless": True}, RGB),
    "colour.ppm": (Image.fromarray(RGB), {}, RGB),
    "grey.pgm": (Image.fromarray(GREY), {}, GREY),
    "GREY.TIF": (Image.fromarray(GREY), {}, GREY),
    "bits.png": (Image.fromarray(GREY > 99), {}, np.where(GREY > 99, 255, 0)),
    "bits.tif": (Image.fromarray(GREY > 99), {}, np.where(GREY > 99, 255, 0)),
    "opaque.png": (Image.fromarray(WITH_ALPHA), {}, RGB),
    "opaque-grey.png": (Image.fromarray(np.dstack([GREY, np.full((6, 4), 255, np.uint8)]), "LA"), {}, GREY),
    "palette.png": (Image.fromarray(RGB // 128 * 255).convert("P", palette=1), {}, RGB // 128 * 255),
    "palette.gif": (Image.fromarray(RGB // 128 * 255).convert("P", palette=1), {}, RGB // 128 * 255),
}


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", READ)
def test_what_a_picture_is_read_as(tmp_path, name):
    image, kept, expected = READ[name]
    image.save(tmp_path / name, **kept)
    found = Pictures().read(tmp_path / name)
    assert found.dtype == np.uint8
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "jpg", "tif", "webp"])
def test_pictures_are_turned_as_they_are_looked_at(tmp_path, orientation, ending):
    dots = np.kron(np.array([[0, 255], [80, 160]], np.uint8), np.ones((8, 16), np.uint8))
    turned = {
        1: dots,
        2: dots[:, ::-1],
        3: dots[::-1, ::-1],
        4: dots[::-1],
        5: dots.T,
        6: np.rot90(dots, -1),
        7: dots[::-1, ::-1].T,
        8: np.rot90(dots),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(dots) if ending != "webp" else Image.fromarray(np.dstack([dots] * 3))
    image.save(tmp_path / f"a.{ending}", exif=exif)
    found = Pictures().read(tmp_path / f"a.{ending}")
    found = found[..., 0] if found.ndim == 3 else found
    assert found.shape == turned.shape
    assert np.abs(found.astype(int) - turned).max() <= 12  # the loss of JPEG
    before = Pictures(reader=1).read(tmp_path / f"a.{ending}") if ending in ("png", "jpg") else dots
    assert before.shape == dots.shape


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_sixteen_bits_need_levels(tmp_path, name):
    Image.fromarray(DEEP).save(tmp_path / name)
    with pytest.raises(InputError, match=f"{name}: has 16 bits per value.*--levels 256"):
        Pictures().read(tmp_path / name)
    for levels in (256, 17, 3, 2):
        found = Pictures(levels).read(tmp_path / name)
        assert np.array_equal(found.astype(int) * levels // 256, DEEP.astype(int) * levels // 65536)


def test_sixteen_bits_per_colour_are_never_cut_in_silence(tmp_path):
    values = deep_colours(tmp_path / "a.png")
    with pytest.raises(InputError, match="has 16 bits per value"):
        Pictures().read(tmp_path / "a.png")
    for levels in (256, 16, 2):
        found = Pictures(levels).read(tmp_path / "a.png").astype(int) * levels // 256
        assert np.array_equal(found, values.astype(int) * levels // 65536)
    with pytest.raises(InputError, match="take --levels 256, 128"):
        Pictures(17).read(tmp_path / "a.png")


def see_through(path):
    Image.fromarray(np.dstack([RGB, np.full((6, 4), 200, np.uint8)])).save(path)


def one_colour_see_through(path):
    Image.fromarray(RGB).save(path, transparency=tuple(RGB[2, 2].tolist()))


def moving(path):
    first, second = Image.fromarray(RGB), Image.fromarray(RGB[::-1].copy())
    first.save(path, save_all=True, append_images=[second])


REFUSED = {
    "see-through.png": (see_through, "has transparent pixels"),
    "key.png": (one_colour_see_through, "has transparent pixels"),
    "moving.gif": (moving, "has 2 frames, expected one picture"),
    "moving.png": (moving, "has 2 frames, expected one picture"),
    "moving.webp": (moving, "has 2 frames, expected one picture"),
    "pages.tif": (moving, "has 2 pages, expected one picture"),
    "print.jpg": (lambda p: Image.fromarray(WITH_ALPHA, "CMYK").save(p), "has colours of print .CMYK."),
    "real.tif": (lambda p: Image.fromarray(GREY.astype(np.float32)).save(p), "has 32-bit floating-point values"),
    "whole.tif": (lambda p: Image.fromarray(GREY.astype(np.int32)).save(p), "has 32-bit values"),
    "empty.png": (lambda p: p.write_bytes(b""), "is empty"),
    "page.jpg": (lambda p: p.write_text("<html>not found</html>"), "is not a PNG or JPEG inside"),
    "phone.heic": (lambda p: p.write_bytes(b"\0\0\0\x18ftypheic"), "is a HEIC picture, which is not read"),
    "gone.png": (lambda p: None, "there is no such file"),
}


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_pictures_that_are_refused_by_name(tmp_path, name):
    prepare, words = REFUSED[name]
    prepare(tmp_path / name)
    with pytest.raises(InputError, match=f"{name}: {words}"):
        Pictures().read(tmp_path / name)


def test_pictures_cut_anywhere_are_refused_or_whole(tmp_path):
    for name in ("a.png", "a.jpg", "a.bmp", "a.gif", "a.tif"):
        Image.fromarray(RGB.repeat(9, 0).repeat(9, 1)).save(tmp_path / name)
        whole, content = Pictures().read(tmp_path / name), (tmp_path / name).read_bytes()
        for size in range(0, len(content), max(1, len(content) // 25)):
            (tmp_path / name).write_bytes(content[:size])
            try:
                found = Pictures().read(tmp_path / name)
            except InputError as error:
                assert name in str(error)  # noqa: PT017
            else:
                assert np.array_equal(found, whole)


# --- a folder ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("valid", ["val", "Valid", "VALIDATION", "dev"])
def test_train_and_valid_alone_hold_test_out_of_train(tmp_path, valid):
    write_folder(tmp_path / "Train" / "cat", 30)
    write_folder(tmp_path / "Train" / "dog", 30)
    write_folder(tmp_path / valid / "cat", 7)
    write_folder(tmp_path / valid / "dog", 5)
    data = load(str(tmp_path), given="label")
    assert "test is a sixth of train by content, since none is given" in data.note
    sizes = [len(part) for part in data.splits.values()]
    assert sizes == [50, 12, 10]
    assert data.encoding.conditions.names == ("cat", "dog")
    assert load(data.name, **data.options).digest() == data.digest()


@pytest.mark.parametrize("names", [("Train", "Test"), ("TRAINING", "testing"), ("train_images", "test1")])
def test_splits_in_capitals_are_splits(tmp_path, names):
    write_folder(tmp_path / names[0] / "a", 12)
    write_folder(tmp_path / names[0] / "b", 12)
    write_folder(tmp_path / names[1] / "a", 3)
    write_folder(tmp_path / names[1] / "b", 4)
    data = load(str(tmp_path), given="label")
    assert [len(part) for part in data.splits.values()][2] == 7
    assert data.encoding.conditions.names == ("a", "b")


def test_splits_in_a_folder_of_an_archive(tmp_path):
    for part, count in (("train", 12), ("test", 5)):
        write_folder(tmp_path / "archive" / "pets" / part / part / "cat", count)
        write_folder(tmp_path / "archive" / "pets" / part / part / "dog", count)
    (tmp_path / "__MACOSX").mkdir()
    (tmp_path / "__MACOSX" / "._0.png").write_bytes(b"left behind")
    data = load(str(tmp_path), given="label")
    assert (len(data.test), data.encoding.conditions.names) == (10, ("cat", "dog"))


ODD_FOLDERS = {
    "test beside classes": (("cat", "dog", "test"), "lies beside the folders test"),
    "two names of a split": (("train", "val", "valid", "test"), "name a split twice"),
    "splits within classes": (("cat/train", "cat/test", "dog/train", "dog/test"), "lies in a folder 'test' inside"),
    "no train": (("val", "test"), "holds valid and test but no train"),
}


@pytest.mark.parametrize("case", ODD_FOLDERS)
def test_folders_that_could_train_on_the_test_are_refused(tmp_path, case):
    names, words = ODD_FOLDERS[case]
    for name in names:
        write_folder(tmp_path / name, 3)
    with pytest.raises(InputError, match=words):
        load(str(tmp_path))


def test_linked_folders_are_followed_and_loops_are_not(tmp_path):
    write_folder(tmp_path / "elsewhere" / "cat", 20)
    write_folder(tmp_path / "pets" / "dog", 20)
    os.symlink(tmp_path / "elsewhere" / "cat", tmp_path / "pets" / "cat")
    os.symlink(tmp_path / "pets", tmp_path / "pets" / "dog" / "loop")
    os.symlink(tmp_path / "pets" / "dog" / "0.png", tmp_path / "pets" / "dog" / "20.png")
    data = load(str(tmp_path / "pets"), given="label")
    assert sum(map(len, data.splits.values())) == 41
    assert data.encoding.conditions.names == ("cat", "dog")
    os.symlink(tmp_path / "gone.png", tmp_path / "pets" / "dog" / "21.png")
    with pytest.raises(InputError, match=r"21.png: is a link to a file that is not there"):
        load(str(tmp_path / "pets"))


def test_linked_folders_of_texts_are_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.txt").write_text("the second text. " * 20)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("the first text. " * 20)
    os.symlink(tmp_path / "elsewhere", tmp_path / "texts" / "more")
    os.symlink(tmp_path / "texts", tmp_path / "texts" / "loop")
    data = load(str(tmp_path / "texts"), window=8)
    assert sum(len(x.stream) for x in data.splits.values()) == 340 + 320


def test_pictures_are_in_the_order_in_which_people_count(tmp_path):
    write_folder(tmp_path, 12)
    data = load(str(tmp_path), split="order:10/1/1")
    assert np.array_equal(data.test.x[0].reshape(6, 4), Pictures().read(tmp_path / "11.png"))
    names = sorted(files_below(tmp_path), key=natural_key)
    assert [path.name for path in names] == [f"{k}.png" for k in range(12)]
    before = load(str(tmp_path), split="order:10/1/1", reader=1)
    assert np.array_equal(before.test.x[0].reshape(6, 4), Pictures().read(tmp_path / "9.png"))


def test_another_size_is_named_with_the_first(tmp_path):
    write_folder(tmp_path, 3)
    Image.fromarray(RGB).save(tmp_path / "3.png")
    with pytest.raises(InputError, match=r"3.png: is 4x6 RGB, but the first image is 4x6 grey \(0.png\)"):
        load(str(tmp_path))


def test_a_folder_of_pictures_that_are_not_read_says_so(tmp_path):
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(InputError, match=r"a.heic: is a HEIC picture, which is not read; convert it"):
        load(str(tmp_path))


def test_a_folder_of_pictures_and_of_texts_is_not_read_as_texts(tmp_path):
    write_folder(tmp_path / "images", 4)
    (tmp_path / "labels").mkdir()
    for k in range(4):
        (tmp_path / "labels" / f"{k}.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    with pytest.raises(InputError, match="holds 4 texts and 4 pictures; name the folder of the one"):
        load(str(tmp_path))


def test_a_folder_of_other_files_says_what_it_holds(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"is a directory \(it holds 1 .csv\)"):
        load(str(tmp_path))


def test_how_pictures_are_read_is_kept_with_the_run(tmp_path):
    for k in range(12):
        Image.fromarray(RNG.integers(0, 65536, (6, 4)).astype(np.uint16)).save(tmp_path / f"{k}.png")
    data = load(str(tmp_path), levels=16)
    again = encoding_from_json(data.encoding.to_json())
    assert again == data.encoding
    assert again.encode(str(tmp_path)).x.max() == 15
    assert load(data.name, **data.options).digest() == data.digest()
    with pytest.raises(InputError, match="has 16 bits per value"):
        load(str(tmp_path), binarize="fixed")
    old = {name: value for name, value in data.encoding.to_json().items() if name != "pictures"}
    assert encoding_from_json(old).pictures == Pictures(reader=1)
