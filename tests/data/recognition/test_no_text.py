"""What is no text is not read as text, whatever it is called; what is a path here is not a set of ours."""

import gzip
import io
import pickle
import tarfile
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from chainrule import InputError
from chainrule.cli.app import main
from chainrule.data import encoding_from_json, load

FILLER = bytes(range(256)) * 8


def zipped(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, "n,s\n1,x\n")
    return buffer.getvalue()


def tarred():
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"), io.BytesIO(b""))
    return buffer.getvalue()


def written(function, *arguments, **named):
    buffer = io.BytesIO()
    function(buffer, *arguments, **named)
    return buffer.getvalue()


def parquet():
    import pyarrow.parquet

    return written(lambda out: pyarrow.parquet.write_table(pa.table({"a": [1, 2]}), out))


def feather():
    import pyarrow.feather

    return written(lambda out: pyarrow.feather.write_feather(pa.table({"a": [1, 2]}), out))


PNG = written(lambda out: Image.new("L", (8, 8)).save(out, format="PNG"))
NO_TEXT = {
    "a.7z": (b"7z\xbc\xaf\x27\x1c" + FILLER, "a 7z archive"),
    "a.rar": (b"Rar!\x1a\x07\x01\x00" + FILLER, "a RAR archive"),
    "a.docx": (zipped("word/document.xml"), "a Word document"),
    "a.xlsx": (zipped("xl/workbook.xml", "[Content_Types].xml"), "an Excel workbook"),
    "cut.xlsx": (b"PK\x03\x04" + FILLER, "an Excel workbook"),
    "a.ods": (zipped("mimetype", "content.xml"), "an OpenDocument file"),
    "a.epub": (zipped("mimetype", "META-INF/container.xml"), "an EPUB book"),
    "a.zip": (zipped("sales.csv"), "a zip archive of one file, sales.csv, .*; unpack it with unzip"),
    "two.zip": (zipped("a.csv", "b.csv"), "a zip archive"),
    "weights.pt": (zipped("archive/data.pkl", "archive/data/0"), "a PyTorch file"),
    "old.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + FILLER, "an old Excel"),
    "parquet.txt": (parquet(), "a Parquet file"),
    "parquet.csv": (parquet(), "a Parquet file"),
    "feather.txt": (feather(), "an Arrow file"),
    "array.txt": (written(np.save, np.arange(9)), "a NumPy array"),
    "arrays.zip": (written(np.savez, a=np.arange(3), b=np.arange(4)), "a NumPy archive"),
    "a.mat": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\1IM" + FILLER, "a MATLAB file"),
    "a.pkl": (pickle.dumps({"a": [1, 2]}), "a pickle"),
    "old.pickle": (pickle.dumps([1.5] * 9, protocol=2), "a pickle"),
    "program": (b"\x7fELF\x02\x01\x01" + FILLER, "a program"),
    "program.exe": (b"MZ\x90\x00\x03" + FILLER, "a program"),
    "picture.txt": (PNG, "a PNG picture"),
    "picture.csv": (PNG, "a PNG picture"),
    "photo.jpg": (b"\xff\xd8\xff\xe0" + FILLER, "a JPEG picture"),
    "scan.tif": (b"II*\0" + FILLER, "a TIFF picture"),
    "tar.gz": (gzip.compress(tarred()), "a tar archive"),
    "a.tgz": (gzip.compress(tarred()), "a tar archive"),
    "a.tar": (tarred(), "a tar archive"),
    "a.rds": (gzip.compress(b"X\n\0\0\0\3" + FILLER), "an R object"),
    "a.bam": (gzip.compress(b"BAM\1" + FILLER), "a BAM alignment"),
    "sound.wav": (b"RIFF\x24\x08\0\0WAVEfmt " + FILLER, "WAV sound"),
    "film.mp4": (b"\0\0\0\x20ftypisom" + FILLER, "an MPEG-4 film"),
    "a.rtf": (b"{\\rtf1\\ansi a letter}" * 40, "an RTF document"),
    "a.bin": (FILLER, "holds NUL characters"),
    "a.db": (b"\1\2" + FILLER, "is named like a database"),
    "A.PDF.GZ": (gzip.compress(b"%PDF-1.7 a paper" + FILLER), "a PDF document"),
    "a.duckdb": (b"\x11" * 8 + b"DUCK" + FILLER, "a DuckDB database"),
}
NO_TEXT["unicode.txt"] = (("It was a dark night. " * 40).encode("utf-16"), "but UTF-16; write it as UTF-8: iconv")


@pytest.mark.parametrize("name", NO_TEXT)
def test_what_is_no_text_is_refused_with_what_to_do(tmp_path, name):
    content, words = NO_TEXT[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=words) as refused:
        load(str(tmp_path / name))
    assert "; " in str(refused.value)
    assert name in str(refused.value)


@pytest.mark.parametrize("name", ["a.xlsx", "picture.txt", "tar.gz", "a.bin", "unicode.txt"])
def test_symbols_bytes_may_read_anything(tmp_path, name):
    (tmp_path / name).write_bytes(NO_TEXT[name][0] * 3)
    data = load(
        str(tmp_path / name), symbols="bytes", window=8, documents="stream"
    )  # some have times of writing in them
    assert data.encoding.kind == "text"
    assert encoding_from_json(data.encoding.to_json()) == data.encoding
    assert len(data.encoding.encode(data.name).stream) > 0
    assert load(data.name, **data.options).digest() == data.digest()
    with pytest.raises(InputError):
        load(str(tmp_path / name), symbols="characters")


WORDS = {
    "orchestra": "ORCHESTRA of the city, founded in 1900.\n",
    "id3": "ID3 is an algorithm for decision trees.\n",
    "matlab": "MATLAB is a language of matrices.\n",
    "duck": "I saw a DUCK on the lake.\n",
    "bm": "BM is the ending of a word.\n",
    "wave": "A great WAVE came over the pier.\n",
    "par1": "PAR1 of the golf course.\n",
    "escape": "\x1b[31mred\x1b[0m is the colour of the light.\n",
}


@pytest.mark.parametrize("case", WORDS)
def test_words_that_begin_like_a_format_are_text(tmp_path, case):
    (tmp_path / "a").write_text(WORDS[case] * 20)
    assert load(str(tmp_path / "a"), window=8).encoding.kind == "text"


def test_pictures_among_texts_of_a_folder_are_refused(tmp_path):
    (tmp_path / "a.txt").write_text("a text of some length. " * 20)
    (tmp_path / "b.txt").write_bytes(PNG)
    with pytest.raises(InputError, match=r"b\.txt: is a PNG picture"):
        load(str(tmp_path), window=8)


@pytest.mark.parametrize("options", [[], ["--documents", "line"]])
def test_runs_of_texts_refuse_what_fit_refuses(tmp_path, capsys, options):
    (tmp_path / "a.txt").write_text("It was a dark night.\nThe rain fell in torrents.\n" * 20)
    small = ["--steps", "1", "--width", "8", "--depth", "1", "--window", "16", *options]
    run = str(tmp_path / "run")
    assert main(["fit", str(tmp_path / "a.txt"), "--out", run, *small]) == 0
    for name in ("a.xlsx", "tar.gz", "picture.txt", "a.pkl"):
        (tmp_path / name).write_bytes(NO_TEXT[name][0])
        for command in ("evaluate", "score"):
            capsys.readouterr()
            assert main([command, run, str(tmp_path / name)]) == 2
            error = capsys.readouterr().err
            assert NO_TEXT[name][1].split(";")[0] in error
            assert name in error


def test_an_archive_of_arrays_names_them(tmp_path):
    np.savez(tmp_path / "a.npz", heights=np.zeros((9, 2)), weights=np.zeros((9, 3)))
    with pytest.raises(InputError, match="holds the arrays heights, weights; expected train, valid and test"):
        load(str(tmp_path / "a.npz"))


# --- a path that has the name of a set of ours ------------------------------------------------------------------------


def test_a_path_goes_before_a_set_of_the_same_name(tmp_path, monkeypatch, recwarn):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    for k in range(20):
        Image.fromarray(np.full((3, 5), 9 * k, np.uint8)).save(tmp_path / "digits" / f"{k}.png")
    data = load("digits")
    assert data.encoding.domain.shape == (3, 5)
    (said,) = [str(warning.message) for warning in recwarn]
    assert "--builtin" in said
    assert str(tmp_path / "digits") in said
    assert load(data.name, **data.options).digest() == data.digest()
    assert len(recwarn) == 1  # the path is recorded as a path
    ours = load("digits", builtin=True)
    assert ours.encoding.domain.shape == (8, 8)
    assert load(ours.name, **ours.options).digest() == ours.digest()
    with pytest.raises(InputError, match="leave out --builtin"):
        load("digits/", builtin=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_command_line_says_which_digits_are_read(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").write_text("0,1\n" * 300)
    small = ["--steps", "1", "--width", "8", "--depth", "1"]
    assert main(["fit", "digits", "--out", "a", *small, "--window", "8"]) == 0
    assert "--builtin reads the set" in capsys.readouterr().err
    assert main(["fit", "digits", "--builtin", "--out", "b", *small]) == 0
    shown = capsys.readouterr()
    assert "1797 images of 8x8" in shown.out
    assert "--builtin" not in shown.err
    for command in (["evaluate", "b", "--json"], ["fit", "--resume", "--out", "b"]):
        assert main(command) == 0
        assert "--builtin" not in capsys.readouterr().err
