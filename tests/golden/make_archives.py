"""The golden archives again, for a new version of their format; those that are there stay as they are.

python -m tests.golden.make_archives [FOLDER]      by default the folder of this version

Each is made by the model, or by counts, even where xz would take fewer bytes. Native ones hold the numbers of this
machine; the trees of portable ones are fitted for some seconds and travel in their archives.
"""

import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import chainrule as cr
from chainrule.atomic_files import write_file
from chainrule.coding.container import FORMAT, archive_bytes
from chainrule.runs.archiving import general, work_of_counts, work_of_file
from chainrule.runs.carried import carried_bytes, carried_run
from chainrule.runs.progress import silent
from chainrule.runs.run import Run
from tests.golden.places import GOLDEN, RUNS

DATA = GOLDEN / "data"
FILES = {"table": "table.csv", "bits": "bits/bits.test.data", "binary": "bits/bits.test.data"}
FILES |= {"grey": "grey.npy", "sequences": "sequences.json", "fasta": "proteins.fasta"}
NATIVE = ("table", "sequences")
TREES = {"bits": "bits"}
NETS = {
    "nade": {"network": "nade", "width": 16, "experts": "chow_liu,boosted_trees"},
    "sparse-nade": {"network": "sparse_nade", "width": 16},
    "made": {"network": "made", "depth": 0},
    "causal-conv": {"network": "causal_conv", "width": 16, "depth": 3},
    "recurrent": {"network": "recurrent", "width": 16, "depth": 2},
    "pixelcnn": {"network": "pixelcnn", "width": 8, "depth": 2},
}  # by exact products
SOURCES = {net: ("grey", "grey.npy") if net == "pixelcnn" else ("bits", "bits") for net in NETS}  # and what they read
COUNTED = ("table",)
ALONE = {"bz2": b"a" * 10**5, "xz": bytes(range(256)) * 20, "stored": b"x"}
ALONE |= {
    "deflate": b'{"form":"fasta","names":[">a"],"width":60,"end":"\\n"}, "conditions":null,"dropped":["a"]'
}  # by a general compressor
LANES = 64


def native(name):
    """An archive that needs a golden run."""
    return work_of_file(Run.open(RUNS / name), DATA / FILES[name], LANES, "native")


def portable(name):
    """An archive in which boosted trees travel."""
    run = cr.fit(str(DATA / TREES[name]), minutes=0.05, network="boosted_trees")
    carried = carried_bytes(run)
    return replace(work_of_file(carried_run(carried), DATA / FILES[name], LANES, "portable"), carried=carried)


def averaged(name):
    """An archive in which a Chow-Liu tree and boosted trees travel, as they stand beside a network by default."""
    run = cr.fit(str(DATA / TREES[name]), minutes=0.02, network="chow_liu", experts="boosted_trees")
    carried = carried_bytes(run)
    return replace(work_of_file(carried_run(carried), DATA / FILES[name], LANES, "portable"), carried=carried)


def by_products(net):
    """An archive in which a network travels that codes by exact products."""
    name, source = SOURCES[net]
    run = cr.fit(str(DATA / source), steps=60, **NETS[net])
    carried = carried_bytes(run)
    return replace(work_of_file(carried_run(carried), DATA / FILES[name], LANES, "portable"), carried=carried)


def counted(name):
    """An archive without a run."""
    return work_of_counts(DATA / FILES[name], 60, silent)


def said_of(content):
    """What a header says of a file."""
    return {"name": "file", "bytes": len(content), "sha256": sha256(content).hexdigest()}


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else GOLDEN / f"archives-{FORMAT}"
    folder.mkdir(parents=True, exist_ok=True)
    works = [(f"{name}-native", native, name) for name in NATIVE]
    works += [(f"{name}-portable", portable, name) for name in TREES]
    works += [(f"{name}-average-portable", averaged, name) for name in TREES]
    works += [(f"{SOURCES[net][0]}-{net}-portable", by_products, net) for net in NETS]
    works += [(f"{name}-counts", counted, name) for name in COUNTED]
    for file, make, name in works:
        place = folder / f"{file}.cr"
        if not place.exists():
            write_file(place, archive_bytes(*make(name).archive(silent)))
            print(place)
    for way, content in ALONE.items():
        if not (folder / f"{way}.cr").exists():
            write_file(folder / f"{way}.cr", archive_bytes(*general(said_of(content), content)))


if __name__ == "__main__":
    main()
