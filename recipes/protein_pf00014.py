"""Kunitz domains, Pfam family PF00014: aligned sequences of 53 letters out of 21.

    python -m recipes.protein_pf00014 --data DIR

13 600 sequences, of which 8871 are distinct: repetitions are dropped, the first of each stays. Of these every tenth
from the first on is test, of the rest every tenth from the first on is valid. Relatives stand on both sides of such a
split.
arDCA (Trinquier et al. 2021), a linear-softmax autoregressive model of this family, reports no test likelihood.
"""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path

from chainrule.data.sources.fasta import read_fasta
from chainrule.errors import InputError
from chainrule.reproduction.recipe import Recipe

FILE = "protein_pf00014/PF00014_mgap6.fasta.gz"
SIZES = (7184, 799, 888)


def distinct_in_order(data: Path) -> bytes:
    """The distinct sequences as FASTA: first those of train, then valid, then test."""
    distinct = list(dict.fromkeys(read_fasta(data / FILE, upper=False).sequences))
    rest = [sequence for n, sequence in enumerate(distinct) if n % 10]
    train = [sequence for n, sequence in enumerate(rest) if n % 10]
    parts = (train, rest[::10], distinct[::10])
    if tuple(map(len, parts)) != SIZES:
        raise InputError(f"{data / FILE}: gives splits of {tuple(map(len, parts))}, expected {SIZES}; restore the file")
    return b"".join(b">%d\n%s\n" % (n, sequence) for n, sequence in enumerate(chain(*parts)))


RECIPES = (
    Recipe(
        name="protein_pf00014",
        title="PF00014, aligned proteins, 53 sites of 21 letters",
        unit="nats/sequence",
        source=FILE,
        files=(FILE,),
        options={"split": "order:" + "/".join(map(str, SIZES))},
        minutes=10,
        prepared="pf00014.fasta",
        prepare=distinct_in_order,
    ),
)

if __name__ == "__main__":
    from chainrule.cli.app import main

    sys.exit(main(["reproduce", "protein_pf00014", *sys.argv[1:]]))
