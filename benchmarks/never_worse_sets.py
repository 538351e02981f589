"""The data sets of `never_worse`: made by us, shipped, and from the data directory where that is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["QUICK", "made", "sets"]

Rows = npt.NDArray[np.int64]
Maker = Callable[[np.random.Generator], npt.NDArray[np.generic] | str]

# In the slow tier: few rows, of which all passes that the network makes take a second or two.
QUICK = ("few rows", "one column", "constant", "few of a tree", "few categories", "few counts")


def chain(noise: np.random.Generator, rows: int = 3000, columns: int = 20, stay: float = 0.9) -> Rows:
    """Bits, each like the one before it."""
    x = [noise.integers(0, 2, rows)]
    for _ in range(columns - 1):
        x.append(np.where(noise.random(rows) < stay, x[-1], 1 - x[-1]))
    return np.stack(x, 1)


def scrambled_tree(noise: np.random.Generator, rows: int = 2000, columns: int = 40) -> Rows:
    """Bits of a tree whose columns stand in any order: what a Chow-Liu tree is best at."""
    x = [noise.integers(0, 2, rows)]
    for d in range(1, columns):
        parent = x[int(noise.integers(0, d))]
        x.append(np.where(noise.random(rows) < 0.9, parent, 1 - parent))
    return np.stack([x[d] for d in noise.permutation(columns)], 1)


def sparse(noise: np.random.Generator, columns: int, rows: int = 3000, topics: int = 20) -> Rows:
    """Rows of which about one column in a hundred is set: each of a topic, with columns of its own."""
    share = np.full((topics, columns), 0.003)
    for topic in share:
        topic[noise.choice(columns, columns // 40, replace=False)] = 0.3
    return (noise.random((rows, columns)) < share[noise.integers(0, topics, rows)]).astype(np.int64)


def categories(noise: np.random.Generator, rows: int = 2000, columns: int = 10, symbols: int = 6) -> Rows:
    """Symbols, each often a function of two before it."""
    x = [noise.integers(0, symbols, rows) for _ in range(2)]
    while len(x) < columns:
        a, b = noise.choice(len(x), 2, replace=False)
        x.append(np.where(noise.random(rows) < 0.7, (x[a] + x[b]) % symbols, noise.integers(0, symbols, rows)))
    return np.stack(x, 1)


def mixed_table(noise: np.random.Generator, rows: int = 1500) -> str:
    """A CSV file with numbers, counts, names and holes."""
    lines = ["age,size,visits,town,score"]
    for _ in range(rows):
        age, town = int(noise.integers(18, 90)), "abcde"[int(noise.integers(0, 5))]
        size = "" if noise.random() < 0.2 else f"{150 + age / 4 + 6 * noise.normal():.1f}"
        lines.append(f"{age},{size},{noise.poisson(age / 12)},{town},{age * 0.5 + noise.normal() * 3:.2f}")
    return "\n".join(lines) + "\n"


def reals(noise: np.random.Generator, rows: int = 800, columns: int = 6) -> str:
    """A CSV file of correlated numbers."""
    x = noise.normal(size=(rows, columns)) @ noise.normal(size=(columns, columns))
    lines = [",".join(f"c{d}" for d in range(columns)), *(",".join(f"{v:.3f}" for v in row) for row in x)]
    return "\n".join(lines) + "\n"


def counts(noise: np.random.Generator, rows: int = 2000) -> str:
    """A CSV file of counts."""
    rate = np.exp(noise.normal(size=rows))
    x = np.stack([noise.poisson(rate * k) for k in (1, 2, 5, 20)], 1)
    return "\n".join(["a,b,c,d", *(",".join(map(str, row)) for row in x.tolist())]) + "\n"


def words(noise: np.random.Generator, count: int) -> str:
    """A text of words from a grammar of pairs."""
    known = ["".join("etaoinshrdlu"[int(k)] for k in noise.integers(0, 12, noise.integers(2, 8))) for _ in range(200)]
    follows = noise.integers(0, 200, (200, 5))
    text, word = [], 0
    for _ in range(count):
        word = int(follows[word, int(noise.integers(0, 5))]) if noise.random() < 0.9 else int(noise.integers(0, 200))
        text.append(known[word] + (".\n" if noise.random() < 0.1 else ""))
    return " ".join(text)


def names(noise: np.random.Generator, count: int = 2000) -> str:
    """Short documents, one per line."""
    syllables = [a + b for a in "bdklmnrst" for b in "aeiou"]
    return "\n".join("".join(noise.choice(syllables, noise.integers(1, 5))) for _ in range(count)) + "\n"


def blobs(noise: np.random.Generator, side: int, count: int = 1200, levels: int = 2) -> npt.NDArray[np.uint8]:
    """Images of one bright spot."""
    y, x = np.mgrid[:side, :side]
    centre, width = noise.random((2, count, 1, 1)) * side, 1 + noise.random((count, 1, 1)) * side / 4
    light = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / width**2)
    return np.asarray(np.clip(light * levels + noise.normal(size=light.shape) * 0.1, 0, levels - 1)).astype(np.uint8)


MADE: dict[str, tuple[str, Maker]] = {
    "chain": ("npy", chain),
    "long chain": ("npy", lambda noise: chain(noise, rows=50_000, columns=10)),
    "few rows": ("npy", lambda noise: chain(noise, rows=150, columns=12)),
    "one column": ("npy", lambda noise: noise.integers(0, 5, (500, 1))),
    "scrambled tree": ("npy", scrambled_tree),
    "few of a tree": ("npy", lambda noise: scrambled_tree(noise, rows=250, columns=15)),
    "wide tree": ("npy", lambda noise: scrambled_tree(noise, rows=1000, columns=300)),
    "noise": ("npy", lambda noise: noise.integers(0, 2, (1000, 30))),
    "constant": ("npy", lambda noise: np.concatenate([np.ones((600, 3), int), noise.integers(0, 3, (600, 3))], 1)),
    "sparse 300": ("npy", lambda noise: sparse(noise, 300)),
    "sparse 1000": ("npy", lambda noise: sparse(noise, 1000)),
    "sparse 1600": ("npy", lambda noise: sparse(noise, 1600)),
    "categories": ("npy", categories),
    "few categories": ("npy", lambda noise: categories(noise, rows=250, columns=5, symbols=3)),
    "mixed table": ("csv", mixed_table),
    "reals": ("csv", reals),
    "counts": ("csv", counts),
    "few counts": ("csv", lambda noise: counts(noise, rows=150)),
    "many rows": ("npy", lambda noise: categories(noise, rows=200_000, columns=6)),
    "small text": ("txt", lambda noise: words(noise, 2500)),
    "long text": ("txt", lambda noise: words(noise, 60_000)),
    "names made": ("txt", names),
    "blobs 8x8": ("npy", lambda noise: blobs(noise, 8)),
    "blobs 16x16": ("npy", lambda noise: blobs(noise, 16, levels=16)),
}

STORED = {  # below the data directory
    **{name: f"debd/{name}" for name in ("nltcs", "plants", "jester", "accidents", "dna", "book", "tretail")},
    "tinyshakespeare": "tinyshakespeare/input.txt",
    "names": "names/names.txt",
    "mushroom": "mushroom_csv/mushroom.csv",
}


def made(name: str, folder: Path) -> str:
    """The path of a set that is made; written where it is not there."""
    ending, maker = MADE[name]
    path = folder / f"{name.replace(' ', '_')}.{ending}"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        content = maker(np.random.default_rng(0))
        if isinstance(content, str):
            path.write_text(content)
        else:
            np.save(path, content)
    return str(path)


def sets(folder: Path, data: Path | None) -> dict[str, str]:
    """The sources by name; those of the data directory where they are there."""
    found = {name: made(name, folder) for name in MADE} | {"digits": "digits"}
    stored = {name: data / path for name, path in STORED.items()} if data is not None else {}
    return found | {name: str(path) for name, path in stored.items() if path.exists()}
