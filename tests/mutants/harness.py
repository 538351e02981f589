"""Every case in a form of the certificate, and the table of results by kind: `python -m tests.mutants.harness`.

python -m tests.mutants.harness                both forms of all cases; writes docs/certificate.md's table
python -m tests.mutants.harness --quick        the quick form only, printed and not written
python -m tests.mutants.harness WORD ...       the cases with a word in their name or kind
"""

from __future__ import annotations

import random
import sys
import warnings
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from time import process_time

from chainrule.verification.certificate.verify import verify
from tests.mutants.table import CASES, Case

__all__ = ["Result", "markdown", "some", "tried"]

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
            count = [sum(result.right for result in results) for results in row]
            lines.append(f"| {kind} | {len(row[0])} | {count[1]} | {count[0]} |")
    accused = [sum(not r.case.is_fault and bool(r.failed) for r in results) for results in (full, quick)]
    lines.append(f"| sound models accused | | {accused[0]} | {accused[1]} |")
    return "\n".join(lines)


def main(words: list[str]) -> None:
    """Print one line per case, and write the table if all cases were tried in both forms."""
    quick_only = "--quick" in words
    words = [word for word in words if not word.startswith("--")]
    chosen = [c for c in CASES.values() if not words or any(word in c.name or word in c.kind for word in words)]
    results: list[list[Result]] = [[], []]
    for case in chosen:
        for form, quick in enumerate((True,) if quick_only else (True, False)):
            results[form].append(tried(case, quick))
            print("quick" if quick else "full ", results[form][-1], flush=True)
    table = markdown(results[0], results[1])
    print(table)
    if not words and not quick_only:
        text = PAGE.read_text(encoding="utf-8")
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
