"""What a process with other settings of instructions and threads makes of the same chains.

python -m tests.coding.other_settings FOLDER THREADS     prints it as JSON; FOLDER holds what `prepare` wrote
"""

import json
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch

from chainrule.cli.app import main as command
from chainrule.coding.canary import canary
from chainrule.coding.container import archive_bytes, read_archive
from chainrule.coding.walk import Layout, decode_sequences, encode_sequences
from chainrule.heads import CategoricalHead
from chainrule.models.chain import AutoregressiveModel
from chainrule.networks import MADE, NADE, CausalConv, PixelCNN, Recurrent, StateSpace, Transformer
from chainrule.runs.archiving import work_of_counts
from chainrule.runs.decompress import decoded_file, run_of
from chainrule.runs.progress import silent
from tests.coding.portable_instances import INSTANCES, layout_of, rows_of
from tests.golden.places import GOLDEN, RUNS

DATA = GOLDEN / "data"
NATIVE = {
    "NADE": lambda: NADE(4, 12, 16, width=64),
    "MADE": lambda: MADE(4, 12, 16),
    "Recurrent": lambda: Recurrent(4, 12, 64),
    "StateSpace": lambda: StateSpace(4, 12, 64),
    "CausalConv": lambda: CausalConv(4, 12, 64, depth=2),
    "PixelCNN": lambda: PixelCNN(4, (3, 4), 32, depth=2),
    "Transformer": lambda: Transformer(4, 12, 64, 2, 2),
}


def prepare(folder):
    """Chains, their rows and how they are walked, for processes with other settings; and the code of native ones."""
    torch.manual_seed(0)
    chains = {name: make() for name, make in INSTANCES.items()}
    rows = {name: rows_of(chain) for name, chain in chains.items()}
    torch.save(
        {name: (chain, rows[name], layout_of(chain, rows[name])) for name, chain in chains.items()}, folder / "p"
    )
    native = {}
    for name, make in NATIVE.items():
        network = make()
        chain, layout = AutoregressiveModel(network, CategoricalHead(network.features, 4)), Layout(8, 12, 12, 12)
        x = list(chain.sample(20, seed=0).x.double().numpy())
        native[name] = (chain, layout, x, encode_sequences(chain, layout, x), canary(chain, layout, None))
    torch.save(native, folder / "n")
    assert (
        command(["compress", str(DATA / "text.txt"), "--elements", "--unchecked", *WITH_TEXT, str(folder / "x")]) == 0
    )


WITH_TEXT = ("--model", str(RUNS / "text"), "--out")


def found(folder):
    """The hashes of portable codes and canaries, what came of golden archives, and what of native codes."""
    result = {}
    for name, (chain, rows, layout) in torch.load(folder / "p", weights_only=False).items():
        code = encode_sequences(chain, layout, list(rows))
        back = np.stack(decode_sequences(chain, layout, code, [chain.length] * len(rows)))
        same = np.array_equal(back, rows, equal_nan=True)
        result[name] = [sha256(code).hexdigest(), canary(chain, layout, None), same]
    for place in sorted(GOLDEN.glob("archives*/*-portable.cr")) + sorted(GOLDEN.glob("archives*/*-counts.cr")):
        archive = read_archive(place.read_bytes())
        wanted = next(path for path in DATA.rglob(archive.header["source"]["name"]))
        result[f"{place.parent.name} {place.name}"] = decoded_file(archive, run_of(archive, None), silent) == (
            wanted.read_bytes()
        )
    counted = archive_bytes(*work_of_counts(DATA / "table.csv", 60, silent).archive(silent))
    return result | {"by counts": sha256(counted).hexdigest()}


def refused(folder):
    """For each native network whether its code is refused, decoded, or decoded to something else."""
    result = {}
    for name, (chain, layout, x, code, recorded) in torch.load(folder / "n", weights_only=False).items():
        if canary(chain, layout, None) != recorded:
            result[name] = "refused"
        else:
            back = decode_sequences(chain, layout, code, [12] * len(x))
            result[name] = "decoded" if np.array_equal(np.stack(back), np.stack(x)) else "ANOTHER FILE"
    result["the command"] = command(["decompress", str(folder / "x"), *WITH_TEXT, str(folder / "back")])
    return result


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    place = Path(sys.argv[1])
    with torch.no_grad():
        sys.stdout.write("\n" + json.dumps({"portable": found(place), "native": refused(place)}) + "\n")
