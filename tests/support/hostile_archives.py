"""Archives changed at random, blindly and with repaired checksums: each is refused, or gives back the file itself.

python -m tests.support.hostile_archives COUNT SEED      prints what came of so many archives as JSON
"""

import json
import resource
import signal
import sys
from collections import Counter
from copy import deepcopy
from dataclasses import replace

import numpy as np

from chainrule.coding.container import archive_bytes, read_archive
from chainrule.coding.groups import MODEL, SIDE, Group
from chainrule.coding.header import checked
from chainrule.coding.side import packed, side_plain
from chainrule.errors import InputError
from chainrule.runs.archiving import work_of_counts, work_of_file
from chainrule.runs.carried import carried_bytes, carried_run
from chainrule.runs.decompress import decoded_file, run_of
from chainrule.runs.progress import silent
from chainrule.runs.run import Run
from tests.golden.places import GOLDEN, RUNS
from tests.support.hostile_data import damaged, late

SLOW = 10.0  # seconds of the processor that no archive may take
FILES = {"binary": "bits/bits.test.data", "table": "table.csv", "sequences": "sequences.json"}
NUMBERS = (None, -1, 0, 1, 2, 3, 63, 64, 65, 255, 1 << 16, 1 << 31, 10**12, 1 << 63, 10**30, 0.5, "x", "", [], {}, True)


def sound():
    """A file, its archive and the run for each kind; two are by counts and in one the model travels, without a run."""
    found = []
    for name, file in FILES.items():
        run, path = Run.open(RUNS / name), GOLDEN / "data" / file
        model = run.model()
        run.model = lambda model=model: model
        found.append((path.read_bytes(), archive_bytes(*work_of_file(run, path, 8).archive(silent)), run))
        if name in ("binary", "table"):
            found.append((path.read_bytes(), archive_bytes(*work_of_counts(path, 60, silent).archive(silent)), None))
        if name == "binary":
            carried = carried_bytes(run)
            work = replace(work_of_file(carried_run(carried), path, 8), carried=carried)
            found.append((path.read_bytes(), archive_bytes(*work.archive(silent)), None))
    return found


def places(value, path=()):
    """Where the parts of a JSON value stand."""
    if isinstance(value, dict):
        for key in value:
            yield (*path, key)
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for n in range(len(value)):
            yield (*path, n)


def changed_header(header, random):
    """The header with one to three of its values changed or left out."""
    header = deepcopy(header)
    for _ in range(int(random.integers(1, 4))):
        known = list(places(header))
        if not known:
            return header
        *path, last = known[int(random.integers(len(known)))]
        inside = header
        for key in path:
            inside = inside[key]
        if random.random() < 0.2:
            del inside[last]
        else:
            inside[last] = deepcopy(NUMBERS[int(random.integers(len(NUMBERS)))])
    return header


def changed_group(group, random, kind):
    """A group with another code, another length, or, with a hash that fits, another plain content."""
    if kind == 0:
        return replace(group, code=damaged(group.code, random))
    if kind == 1:
        return replace(group, plain_length=int(random.integers(0, 1 << int(random.integers(1, 40)))))
    if group.kind in (SIDE, MODEL):
        plain = damaged(side_plain(group), random)
        return Group.of(group.kind, plain, packed(plain))
    return replace(group, kind=int(random.integers(3)))


def mutation(content, random):
    """An archive that was changed, and how."""
    kind = int(random.integers(6))
    if kind < 2:
        return "blind", damaged(content, random)
    archive = read_archive(content)
    groups = list(archive.groups)
    if kind == 2:
        return "header", archive_bytes(changed_header(archive.header, random), groups)
    n = int(random.integers(len(groups)))
    if kind == 5:
        m = int(random.integers(len(groups)))
        groups[n], groups[m] = groups[m], groups[n]
        return "order", archive_bytes(archive.header, groups[: int(random.integers(len(groups) + 1))])
    groups[n] = changed_group(groups[n], random, int(random.integers(3)))
    return "group", archive_bytes(archive.header, groups)


def tried(content, wanted, run):
    """What decoding comes to: "same", "refused", or a fault in words."""
    signal.setitimer(signal.ITIMER_PROF, SLOW)
    try:
        archive = checked(read_archive(content))
        given = run_of(archive, run) if run is None and archive.header["way"] != "xz" else run
        return "same" if decoded_file(archive, given, silent) == wanted else "ANOTHER FILE"
    except InputError:
        return "refused"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def memory():
    """The most memory that this process has had, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def trials(count, seed=0):
    """So many changed archives; what came of each kind of change, and the faults."""
    random, seen, faults = np.random.default_rng(seed), Counter(), []
    signal.signal(signal.SIGPROF, late)
    archives = sound()
    for wanted, content, run in archives:
        if (ended := tried(content, wanted, run)) != "same":
            faults.append(f"a sound archive: {ended}")
    before = memory()
    for n in range(count):
        wanted, content, run = archives[n % len(archives)]
        kind, changed = mutation(content, random)
        ended = tried(changed, wanted, run)
        seen[f"{kind}, {ended if ended in ('same', 'refused') else 'fault'}"] += 1
        if ended not in ("same", "refused") or (kind == "blind" and ended == "same" and changed != content):
            faults.append(f"{n} ({kind}): {ended}")
    return {"archives": count, "seen": dict(seen), "megabytes more": memory() - before, "faults": faults}


if __name__ == "__main__":
    print(json.dumps(trials(int(sys.argv[1]), int(sys.argv[2])), indent=1))
