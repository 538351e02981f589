"""Every case in a form of the certificate, and the table of results by kind: `python -m tests.mutants.harness`.

python -m tests.mutants.harness                both forms of all cases; writes docs/certificate.md's table
python -m tests.mutants.harness --quick        the quick form only, printed and not written
python -m tests.mutants.harness --full         the full form only, printed and not written
python -m tests.mutants.harness --part=1/2     the first of two halves, both forms; kept in build/mutants
python -m tests.mutants.harness --table        writes the table from what the parts have kept
python -m tests.mutants.harness --open         the cases that no part has kept, or kept as wrong; kept with the others
python -m tests.mutants.harness --processes=2  beside each other
python -m tests.mutants.harness WORD ...       the cases with a word in their name or kind
"""

from __future__ import annotations

import json
import random
import sys
import warnings
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from time import process_time, time

from chainrule.verification.certificate.verify import verify
from tests.mutants.table import CASES, Case

__all__ = ["Result", "markdown", "some", "tried"]

FORMS = ("quick", "full")
KEPT = Path(__file__).parents[2] / "build" / "mutants"
PAGE = Path(__file__).parents[2] / "docs" / "certificate.md"
BEGIN, END = "<!-- made by make mutants: begin -->", "<!-- end -->"


@dataclass(frozen=True)
class Result:
    """What the certificate said of a case.

    case: the case.
    verdict: its verdict, or the error.
    failed: names of the checks that failed.
    seconds: processor time.
    """

    case: Case
    verdict: str
    failed: tuple[str, ...]
    seconds: float

    @property
    def right(self) -> bool:
        """Whether a fault was seen, or a sound model passed."""
        return bool(self.failed) if self.case.is_fault else self.verdict.startswith("all ")

    def __str__(self) -> str:
        kind = "fault" if self.case.is_fault else "sound"
        said = ", ".join(self.failed) or self.verdict
        return f"{'ok   ' if self.right else 'WRONG'} {kind} {self.seconds:6.1f} s  {self.case.name}: {said}"


def tried(case: Case, quick: bool) -> Result:
    """The certificate of one case."""
    start = process_time()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            thing, options = case.build()
            certificate = verify(thing, quick=quick, **options)
    except Exception as error:
        return Result(case, f"{type(error).__name__}: {error}".splitlines()[0][:120], (), process_time() - start)
    return Result(case, certificate.verdict, certificate.failed, process_time() - start)


def outcome(job: tuple[str, bool]) -> tuple[str, tuple[str, ...], float]:
    """The verdict, the checks that failed and the seconds of a case by its name, in a process of its own."""
    import torch

    torch.set_num_threads(1)
    result = tried(CASES[job[0]], job[1])
    return result.verdict, result.failed, result.seconds


def all_tried(cases: list[Case], quick: bool, processes: int) -> Iterator[Result]:
    """The results of cases in their order."""
    if processes == 1:
        yield from (tried(case, quick) for case in cases)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        jobs = [(case.name, quick) for case in cases]
        for case, found in zip(cases, pool.map(outcome, jobs), strict=True):
            yield Result(case, *found)


def some(count: int, seed: int = 0) -> list[Case]:
    """Some of the cases, drawn by a seed."""
    return random.Random(seed).sample(list(CASES.values()), count)


def markdown(quick: list[Result], full: list[Result]) -> str:
    """The table by kind."""
    rows: dict[tuple[bool, str], list[list[Result]]] = defaultdict(lambda: [[], []])
    for form, results in enumerate((quick, full)):
        for result in results:
            rows[result.case.is_fault, result.case.kind][form].append(result)
    lines = ["| kind | number | full form | quick form |", "|---|---|---|---|"]
    for is_fault in (True, False):
        word = "faults seen" if is_fault else "sound models passed"
        both = [row for (kind, _), row in rows.items() if kind is is_fault]
        total = [[result for row in both for result in row[form]] for form in (0, 1)]
        named = sorted((kind, row) for (fault, kind), row in rows.items() if fault is is_fault)
        for kind, row in [*named, (f"**{word}**", total)]:
            size = sum(case.is_fault is is_fault and (case.kind == kind or row is total) for case in CASES.values())
            quick_, full_ = (_share(results, size) for results in row)
            lines.append(f"| {kind} | {size} | {full_} | {quick_} |")
    accused = [sum(not r.case.is_fault and bool(r.failed) for r in results) for results in (full, quick)]
    lines.append(f"| sound models accused | | {accused[0]} | {accused[1]} |")
    silent = [sum(not r.case.is_fault and not r.right and not r.failed for r in results) for results in (full, quick)]
    lines.append(f"| sound models not verified | | {silent[0]} | {silent[1]} |")
    return "\n".join(lines)


def _share(results: list[Result], size: int) -> str:
    """How many results are right, and of how many if not all cases were tried."""
    right = sum(result.right for result in results)
    return f"{right}" if len(results) == size else f"{right} of {len(results)} tried"


def kept(results: list[Result], path: Path) -> None:
    """Keep the results of one form as lines of JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps([r.case.name, r.verdict, r.failed, r.seconds]) for r in results]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def read(form: str) -> list[Result]:
    """The results of one form that the parts have kept, in the order of the cases."""
    found = {}
    for path in sorted(KEPT.glob(f"{form}-*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            name, verdict, failed, seconds = json.loads(line)
            if name in CASES:
                found[name] = Result(CASES[name], verdict, tuple(failed), seconds)
    return [found[name] for name in CASES if name in found]


def write(quick: list[Result], full: list[Result]) -> None:
    """Write the table into the page."""
    table = markdown(quick, full)
    print(table)
    if quick and full:
        text = PAGE.read_text(encoding="utf-8")
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


def main(words: list[str]) -> None:
    """Print one line per case, and write the table if all cases were tried in both forms."""
    options = [word for word in words if word.startswith("--")]
    words = [word for word in words if not word.startswith("--")]
    if "--table" in options:
        return write(read("quick"), read("full"))
    forms = [form for form in FORMS if f"--{form}" in options] or list(FORMS)
    chosen = [c for c in CASES.values() if not words or any(word in c.name or word in c.kind for word in words)]
    random.Random(0).shuffle(chosen)
    part = next((word.split("=")[1] for word in options if word.startswith("--part=")), "1/1")
    number, parts = map(int, part.split("/"))
    before = {form: {result.case.name: result for result in read(form)} for form in FORMS}
    processes = int(next((word.split("=")[1] for word in options if word.startswith("--processes=")), "1"))
    again, stamp = "--open" in options, f"open-{int(time())}-"  # later than all others in the order of names
    results: dict[str, list[Result]] = {form: [] for form in FORMS}
    for form in forms:
        cases = chosen[number - 1 :: parts]  # in a random order, so that a part that is ended early is a fair sample
        if again:
            cases = [case for case in cases if case.name not in before[form] or not before[form][case.name].right]
        for result in all_tried(cases, form == "quick", processes):
            results[form].append(result)
            print(f"{form:5}", result, flush=True)
            if parts > 1 or again:
                kept(results[form], KEPT / f"{form}-{stamp if again else ''}{number}.jsonl")
    found = [read(form) if again else results[form] for form in FORMS]
    if again or (parts == 1 and not words):
        write(found[0], found[1])
    else:
        print(markdown(found[0], found[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
