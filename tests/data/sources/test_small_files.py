"""Small files that promise or unpack to more than memory holds: refused before anything is allocated."""

import bz2
import gzip
import io
import json
import lzma
import os
import struct
import zipfile
import zlib

import numpy as np
import pyarrow as pa
import pytest

import chainrule as cr
from chainrule.data.sources.memory import VARIABLE, available_bytes, refuse_above_memory
from chainrule.errors import InputError
from tests.support.command_line import run

ZEROS = bytes(1 << 24)
PACK = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}


@pytest.fixture(autouse=True)
def little_memory(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, "0.2")  # gigabytes
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))


def refusal(path, **options):
    with pytest.raises(InputError) as raised:
        cr.load(str(path), **options)
    return str(raised.value)


def header(shape, descr="|u1"):
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": descr, "fortran_order": False, "shape": shape})
    return content.getvalue()


def png(side):
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    size = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def test_what_is_allowed_is_what_there_is(monkeypatch):
    assert available_bytes() == 0.2e9
    refuse_above_memory(0.19e9, "x", "holds little")
    with pytest.raises(InputError, match=r"take 0\.3 GB of memory, and 0\.2 GB are allowed; give a part of it, or"):
        refuse_above_memory(0.3e9, "x", "holds much")
    monkeypatch.setenv(VARIABLE, "much")
    with pytest.raises(InputError, match="--max-memory is a number of gigabytes above 0"):
        available_bytes()


@pytest.mark.parametrize(
    ("kind", "ending"),
    [(".json", ".gz"), (".json", ".bz2"), (".json", ".xz"), (".fasta", ".zst"), ("-idx3-ubyte", ".gz")],
)
def test_a_packed_file_that_is_read_whole_is_refused_as_soon_as_it_is_too_large(tmp_path, ending, kind):
    begin = {".json": b"[[", ".fasta": b">x\n", "-idx3-ubyte": b"\0\0\x08\x03" + struct.pack(">III", 1 << 20, 28, 28)}
    body = b"A" * (1 << 24)
    path = tmp_path / f"x{kind}{ending}"
    path.write_bytes(PACK[ending](begin[kind] + body) + PACK[ending](body) * 3)
    assert "would take" in refusal(path)
    assert "--max-memory GB" in refusal(path)


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_a_large_text_is_prepared_on_disk_however_small_its_file(tmp_path, ending):
    path = tmp_path / f"x.txt{ending}"
    path.write_bytes(PACK[ending](b"abcd" * (1 << 22)) * 5)
    data = cr.load(str(path), documents="stream")
    assert isinstance(data.train.stream, np.memmap)
    assert len(data.train.stream) == 0.8 * 5 * (1 << 24)


@pytest.mark.parametrize("content", [ZEROS * 2, b"a" * (1 << 25), b"a,b\n1,2\n" + b"3" * (1 << 25) + b",4\n"])
def test_a_table_of_giant_lines_is_refused_by_the_line(tmp_path, content):
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(content))
    assert f"{path} line {1 + content[:99].count(10)}: " in refusal(path)


def test_a_giant_line_of_json_lines_is_refused_by_its_number(tmp_path):
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(gzip.compress(b"[1]\n[" + b"1," * (1 << 26)))
    assert f"{path} line 2: is longer than" in refusal(path)


def test_json_of_many_values_is_refused_before_it_is_made(tmp_path):
    path = tmp_path / "x.json"
    path.write_text("[[" + "1," * (1 << 22) + "1]]")
    assert "holds 4,194,306 values, which would take 0.3 GB" in refusal(path)


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        ((10**12, 10), "its header promises 10000000000128"),
        ((2**62, 2**62), "its header promises"),
        ((-5, 10), "its header promises 78"),
        ((10**9, 0), "its header promises 128"),
    ],
)
def test_the_header_of_an_array_that_lies_is_not_believed(tmp_path, shape, said):
    path = tmp_path / "x.npy"
    path.write_bytes(header(shape) + bytes(100))
    assert said in refusal(path)


def test_an_archive_of_arrays_is_refused_by_what_its_headers_promise(tmp_path):
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("train.npy", header((1 << 28, 4)) + bytes(100))
    said = refusal(path)
    assert "holds arrays of 1,073,741,824 bytes, which would take 2.1 GB" in said
    assert "save each as .npy" in said


def test_a_large_array_is_mapped(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((1 << 20, 80), np.uint8))
    from chainrule.data.sources.array_files import array_parts

    ((x, _),) = array_parts(str(tmp_path / "x.npy")).values()
    assert isinstance(x, np.memmap)


def test_idx_is_refused_by_its_header(tmp_path):
    path = tmp_path / "x-idx3-ubyte"
    path.write_bytes(b"\0\0\x08\x03" + struct.pack(">III", 2**31, 2**15, 2**15) + bytes(100))
    assert "its header promises 2305843009213693968" in refusal(path)


def test_pictures_are_refused_by_their_headers(tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "1.png").write_bytes(png(60_000))
    assert "pixels" in refusal(tmp_path / "x")


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom", "/dev/full"])
def test_devices_that_never_end_are_refused_by_their_type(device):
    if not os.path.exists(device):
        pytest.skip("there is no such device here")
    assert refusal(device) == f"{device}: is a device, which may never end; expected a file, a folder or a pipe"


def test_json_that_is_nested_deeply_is_refused(tmp_path):
    (tmp_path / "x.json").write_text("[" * 10**5)
    assert "is nested too deeply" in refusal(tmp_path / "x.json")


def test_the_option_holds_for_every_command(capsys, tmp_path):
    (tmp_path / "x.json").write_text(json.dumps([[1] * (1 << 20)] * 2))
    for words in (("--max-memory", "0.1"), ("--max-memory=0.1",)):
        code, _, err = run(capsys, "fit", tmp_path / "x.json", "--out", tmp_path / "run", *words)
        assert code == 2
        assert "0.1 GB are allowed" in err
    assert os.environ[VARIABLE] == "0.2"
    for word in ("0", "-1", "much", "nan"):
        assert "is a number of gigabytes above 0" in run(capsys, "info", "--max-memory", word)[2]
