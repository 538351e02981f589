"""Data files of every reader, damaged at random: each is refused in one line, or it is data; nothing else happens.

python -m tests.support.hostile_data COUNT SEED [KEEP]      prints what came of so many files as JSON
"""

import bz2
import gzip
import io
import json
import lzma
import os
import shutil
import signal
import struct
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from pyarrow import feather

import chainrule as cr
from chainrule.errors import InputError

SLOW = 10.0  # seconds that no file may take
PACK = {
    "": lambda content: content,
    ".gz": lambda content: gzip.compress(content, mtime=0),
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda content: pa.compress(content, codec="zstd", asbytes=True),
}
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "latin-1", "utf-32")
TABLE = "name,age,height\n" + "".join(f"{'ABC'[k % 3]}é,{k % 7},{k / 4}\n" for k in range(60))
WORDS = (b"\xff" * 8, b"1e400", b"NaN", b'"', b"\r", b"[" * 500, b"," * 500, b"9" * 500)
TEXT = "The quick brown fox jumps over the lazy dög.\n" * 40


def _saved(write):
    content = io.BytesIO()
    write(content)
    return content.getvalue()


def sound_files():
    """The content of sound files by name, of every format and compression."""
    random = np.random.default_rng(0)
    x = random.integers(0, 3, (60, 5), dtype=np.uint8)
    table = pa.table({"a": x[:, 0], "b": [f"n{k % 4}" for k in range(60)]})
    plain = {
        "table.csv": TABLE.encode(),
        "table.tsv": TABLE.replace(",", "\t").encode(),
        "text.txt": TEXT.encode(),
        "names.txt": "\n".join("abc"[k % 3] * (1 + k % 5) for k in range(80)).encode(),
        "lists.json": json.dumps([[int(v) for v in row] for row in x]).encode(),
        "lists.jsonl": "".join(json.dumps([int(v) for v in row]) + "\n" for row in x).encode(),
        "texts.jsonl": "".join(json.dumps({"text": f"line {k} of it"}) + "\n" for k in range(60)).encode(),
        "seq.fasta": "".join(f">s{k} x\n{'ACGT' * (2 + k % 5)}\n" for k in range(40)).encode(),
        "x-idx3-ubyte": b"\0\0\x08\x03" + struct.pack(">III", 60, 1, 5) + x.tobytes(),
    }
    files = {f"{name}{ending}": pack(content) for name, content in plain.items() for ending, pack in PACK.items()}
    for code in ENCODINGS:
        files |= {f"{code}.txt": TEXT.encode(code), f"{code}.csv": TABLE.encode(code)}
    files["x.npy"] = _saved(lambda file: np.save(file, x))
    files["x.npz"] = _saved(lambda file: np.savez(file, train=x, test=x))
    files["c.npz"] = _saved(lambda file: np.savez_compressed(file, x=x))
    files["table.parquet"] = _saved(lambda file: pq.write_table(table, file))
    files["table.arrow"] = _saved(lambda file: feather.write_feather(table, file, compression="uncompressed"))
    picture = Image.fromarray(random.integers(0, 256, (8, 8), dtype=np.uint8))
    for kind in ("PNG", "JPEG", "GIF"):
        files[f"p.{kind.lower()}"] = _saved(lambda file, kind=kind: picture.save(file, kind))
    return files


def damaged(content, random):
    """The content after one to three accidents."""
    for _ in range(int(random.integers(1, 4))):
        place, length = int(random.integers(len(content) + 1)), int(random.integers(1, 40))
        kind = int(random.integers(8))
        if kind == 0 and content:
            flipped = bytearray(content)
            flipped[place % len(content)] ^= 1 << int(random.integers(8))
            content = bytes(flipped)
        elif kind == 1:
            content = content[:place]
        elif kind == 2:
            content = content[:place] + random.bytes(length) + content[place:]
        elif kind == 3:
            content = content[:place] + content[place + length :]
        elif kind == 4:
            content = content[:place] + bytes(length) + content[place + length :]
        elif kind == 5:
            content = content + content[place : place + 4 * length]
        elif kind == 6:
            word = WORDS[int(random.integers(len(WORDS)))]
            content = content[:place] + word + content[place + len(word) :]
        else:
            content = content[place:] + content[:place]
    return content


def late(number, frame):
    raise TimeoutError(f"more than {SLOW} s")


def tried(path):
    """What loading a file comes to: "data", "refused", or a fault in words; and the words of a refusal."""
    begun = time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, SLOW)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cr.load(str(path))
        said = "data"
    except InputError as error:
        said = "refused" if str(error) and len(str(error)) < 5000 else "a refusal without words, or with too many"
    except BaseException as error:
        said = f"{type(error).__name__}: {error}"[:300]
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return said, time.monotonic() - begun


def trials(count, seed=0, keep=None):
    """So many damaged files; what was seen. keep: a folder for the files that made a fault."""
    random, sound = np.random.default_rng(seed), sorted(sound_files().items())
    signal.signal(signal.SIGALRM, late)
    os.environ["CHAINRULE_MAX_MEMORY"] = "1"
    ends, faults, slowest = Counter(), [], 0.0
    with tempfile.TemporaryDirectory() as place:
        os.environ["CHAINRULE_CACHE"] = str(Path(place) / "cache")
        cr.load("digits")  # imports what is needed
        for number in range(count):
            name, content = sound[int(random.integers(len(sound)))]
            folder = Path(place) / str(number)
            folder.mkdir()
            (folder / name).write_bytes(damaged(content, random))
            source = folder if name.startswith("p.") else folder / name
            end, seconds = tried(source)
            slowest = max(slowest, seconds)
            ends[end if end in ("data", "refused") else "fault"] += 1
            if end not in ("data", "refused"):
                faults.append([number, name, end])
                if keep is not None:
                    shutil.copytree(folder, Path(keep) / f"{seed}-{number}", dirs_exist_ok=True)
            shutil.rmtree(folder)
    return {"files": count, "formats": len(sound), **ends, "slowest": round(slowest, 2), "faults": faults}


if __name__ == "__main__":
    count, seed, *keep = sys.argv[1:]
    print(json.dumps(trials(int(count), int(seed), *keep), indent=1))
