"""Preparing data: throughput and peak memory, `python -m benchmarks.preparing [--rows N] [--tokens M] ...`.

With `--text` a text of yours is read as tokens, and nothing else is done that is not asked for.

Each source is generated in a temporary directory, opened in a process of its own, and hashed, so that every element has
been looked at once. The peak is that of the whole process, torch included; the base is that of one that opens nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

WORDS = 20_000
USUAL = {"rows": 1_000_000, "megabytes": 1024, "tokens": 128, "images": 20_000}
CHILD = """
import json, resource, sys, time
import torch
from chainrule.data import load
seconds = time.perf_counter()
if len(sys.argv) > 1:
    data = load(sys.argv[1], **json.loads(sys.argv[2]))
    data.digest()
seconds = time.perf_counter() - seconds
print(json.dumps([seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024]))
"""


def table(path: Path, rows: int) -> None:
    """A CSV file of six columns: names of two sizes, levels, a real with cents, counts and dates."""
    random = np.random.default_rng(0)
    with path.open("w") as file:
        file.write("city,age,amount,clicks,day,name\n")
        for start in range(0, rows, 50_000):
            n = min(50_000, rows - start)
            columns = [
                [f"c{k}" for k in random.zipf(1.5, n) % 5000],
                random.integers(18, 90, n),
                np.round(random.lognormal(3, 1, n), 2),
                random.poisson(30, n) ** 2,
                np.datetime_as_string(np.datetime64("2020-01-01") + random.integers(0, 1000, n)),
                [f"n{k}" for k in random.integers(0, 50_000, n)],
            ]
            file.writelines(",".join(map(str, row)) + "\n" for row in zip(*columns, strict=True))


def text(path: Path, megabytes: int) -> None:
    """A text of words whose frequencies follow Zipf's law, twelve a line."""
    random = np.random.default_rng(0)
    letters = random.integers(97, 123, (WORDS, 9))
    words = ["".join(map(chr, row[:size])) for row, size in zip(letters, random.integers(2, 10, WORDS), strict=True)]
    with path.open("w") as file:
        while file.tell() < megabytes << 20:
            drawn = random.zipf(1.2, (10_000, 12)) % WORDS
            file.writelines(" ".join(words[k] for k in line) + "\n" for line in drawn)


def images(folder: Path, count: int) -> None:
    """Grey PNG files of 64x64 pixels."""
    from PIL import Image

    random = np.random.default_rng(0)
    folder.mkdir()
    for n in range(count):
        Image.fromarray(random.integers(0, 256, (64, 64)).astype(np.uint8)).save(folder / f"{n:06d}.png")


def tokenised(path: Path, rounds: int) -> Iterator[tuple[str, str, float, float]]:
    """A text as the tokens of a BPE of its first MiB, beside the tokenizers library alone, in turns; best of rounds.

    The library gets the same text in the pieces of 4 kB that are best for it, all of them at once, on all its threads;
    ours also checks that the tokens give the text back, and makes them an array.
    """
    import gzip

    from chainrule.data.alphabets.tokens import Tokens

    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    content, size = raw.decode(), len(raw) / 2**20
    specification = Tokens.trained(raw[: 1 << 20].decode(errors="ignore"), 8000).specification
    pieces = [content[k : k + 4096] for k in range(0, len(content), 4096)]
    library = Tokens(specification)._tokenizer
    sides = {
        "": lambda: Tokens(specification).encode(raw, str(path)),
        ", tokenizers alone": lambda: [one.ids for one in library.encode_batch(pieces, add_special_tokens=False)],
    }
    wall, processor = ({side: math.inf for side in sides} for _ in range(2))
    for _ in range(rounds):
        for side, encode in sides.items():
            begun, used = time.perf_counter(), time.process_time()
            encode()
            wall[side] = min(wall[side], time.perf_counter() - begun)
            processor[side] = min(processor[side], time.process_time() - used)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for side in sides:
        what = f"text, {size:,.1f} MiB as 8,000 tokens{side}"
        yield what, f"{size / wall[side]:,.1f} MiB/s ({size / processor[side]:,.1f} per core)", wall[side], peak


def opened(*arguments: str, cache: Path) -> tuple[float, float]:
    """Seconds and peak MiB of a process that opens a source."""
    environment = os.environ | {"CHAINRULE_CACHE": str(cache)}
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *arguments], capture_output=True, text=True, check=True, env=environment
    )
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return seconds, peak


def rows(home: Path, options: argparse.Namespace) -> Iterator[tuple[str, str, float, float]]:
    """What was prepared, its rate, seconds and peak."""
    cache = home / "cache"
    if options.rows:
        table(home / "t.csv", options.rows)
        seconds, peak = opened(str(home / "t.csv"), "{}", cache=cache)
        yield f"CSV, {options.rows:,} rows of 6 columns", f"{options.rows / seconds:,.0f} rows/s", seconds, peak
        (home / "t.csv").unlink()
    for symbols, megabytes in (("bytes", options.megabytes), ("bpe:1000", options.tokens)):
        if megabytes:
            text(home / "a.txt", megabytes)
            size = (home / "a.txt").stat().st_size / 2**20
            for again in ("", ", prepared already") if symbols != "bytes" else ("",):
                chosen = json.dumps({"symbols": symbols, "documents": "stream"})
                seconds, peak = opened(str(home / "a.txt"), chosen, cache=cache)
                yield f"text, {size:,.0f} MiB as {symbols}{again}", f"{size / seconds:,.1f} MiB/s", seconds, peak
            (home / "a.txt").unlink()
    if options.text is not None:
        yield from tokenised(options.text, options.rounds)
    if options.images:
        images(home / "images", options.images)
        for again in ("", ", prepared already"):
            seconds, peak = opened(str(home / "images"), "{}", cache=cache)
            rate = f"{options.images / seconds:,.0f} images/s"
            yield f"PNG, {options.images:,} images of 64x64{again}", rate, seconds, peak


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.preparing", description=__doc__)
    parser.add_argument("--rows", type=int, help="rows of a CSV file; 1,000,000, none with --text")
    parser.add_argument("--megabytes", type=int, default=None, help="of a text read as bytes; 1024, none with --text")
    parser.add_argument(
        "--tokens", type=int, default=None, help="MiB of a text read as bpe:1000; 128, none with --text"
    )
    parser.add_argument("--images", type=int, default=None, help="PNG files of 64x64; 20,000, none with --text")
    parser.add_argument("--text", type=Path, default=None, help="a text, also gzipped, read beside tokenizers alone")
    parser.add_argument("--rounds", type=int, default=3, help="of --text, of which the best counts")
    parser.add_argument("--at", type=Path, default=None, help="where the temporary directory is made")
    options = parser.parse_args()
    for name, usual in USUAL.items():
        if vars(options)[name] is None:
            setattr(options, name, usual if options.text is None else 0)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(dir=options.at) as home:
        _, base = opened(cache=Path(home))
        print(f"base: {base:,.0f} MiB, torch imported and nothing opened\n")
        print("| source | throughput | seconds | peak MiB |\n|---|---:|---:|---:|")
        for what, rate, seconds, peak in rows(Path(home), options):
            print(f"| {what} | {rate} | {seconds:.1f} | {peak:,.0f} |", flush=True)
    print(f"\n{time.perf_counter() - start:.0f} s with the generating")
    return 0


if __name__ == "__main__":
    sys.exit(main())
