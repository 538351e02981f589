"""Mutation testing: one small change of the code at a time, and whether the tests of its file see it.

    python -m tests.support.mutations [COUNT [SEED]]      by default 300 mutants, seed 0

The changes: another comparison, sum for difference, product for quotient, the next number, the other truth value, a
sign or a `not` less, the other branch. They are drawn at random from the likelihood, the batch, the heads and the state
of training. Each is tried in a process of its own, forked from one that has imported torch; the code as it is has to
pass first. Prints the survivors and the share that was seen with its binomial error; every result is a line of
build/mutations/SEED.jsonl, and what stands there is not tried again. A survivor may be another model that is as sound.
"""

import ast
import copy
import importlib.abc
import importlib.util
import json
import os
import random
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "chainrule"
FILES = [SOURCE / "likelihood.py", SOURCE / "batch.py", *sorted((SOURCE / "heads").glob("*.py"))]
FILES += [SOURCE / "training" / f"{name}.py" for name in ("checkpoint", "state", "state_dict_json", "fitted_state")]
PATIENCE = 240  # seconds; what takes longer was seen
OTHER = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.And: ast.Or, ast.Or: ast.And, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """The change of a node, by its number in the order of a walk.

    file: relative to the package.
    node: number of the node.
    line: where it is.
    what: what becomes of it.
    """

    file: str
    node: int
    line: int
    what: str

    def __str__(self):
        return f"{self.file}:{self.line} {self.what} (node {self.node})"


def changed(node):
    """What becomes of a node, and in words; None where it stays."""
    new = copy.deepcopy(node)
    if isinstance(node, ast.Compare) and type(node.ops[0]) in OTHER:
        new.ops[0] = OTHER[type(node.ops[0])]()
    elif isinstance(node, ast.BinOp | ast.BoolOp | ast.AugAssign) and type(node.op) in OTHER:
        new.op = OTHER[type(node.op)]()
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.USub | ast.Invert):
        new = new.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        new.value = not node.value
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        new.value = node.value + 1
    elif isinstance(node, ast.If | ast.IfExp):
        new.test = ast.UnaryOp(ast.Not(), new.test)
    else:
        return None
    words = [ast.unparse(each.test if isinstance(each, ast.If | ast.IfExp) else each) for each in (node, new)]
    return new, " -> ".join(word.splitlines()[0][:60] for word in words)


def places(tree):
    """Nodes that may be changed: not those of types, messages and names of what is exported."""
    left = [tree]
    while left:
        node = left.pop()
        yield node
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list") or isinstance(node, ast.Raise | ast.JoinedStr):
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                continue
            parts = value if isinstance(value, list) else [value]
            left += [part for part in parts if isinstance(part, ast.AST)]


def mutants():
    """All mutants of all files."""
    for path in FILES:
        for number, node in enumerate(places(ast.parse(path.read_text(encoding="utf-8")))):
            if (found := changed(node)) is not None:
                yield Mutant(str(path.relative_to(SOURCE)), number, node.lineno, found[1])


def mutated(mutant):
    """The code of a file with one node changed."""
    tree = ast.parse((SOURCE / mutant.file).read_text(encoding="utf-8"))
    old = list(places(tree))[mutant.node]
    new, _ = changed(old)
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, new)
            elif isinstance(value, list) and any(part is old for part in value):
                setattr(parent, name, [new if part is old else part for part in value])
    return compile(ast.fix_missing_locations(tree), str(SOURCE / mutant.file), "exec")


def tests_of(file):
    """Arguments of pytest: the tests of a file, and its examples."""
    name, tests = Path(file).stem, ROOT / "tests"
    own = [str(SOURCE / file)]
    if file.startswith("heads/"):
        path = tests / "heads" / f"test_{name}.py"
        laws = tests / "laws" / "test_laws.py"
        return [
            *own,
            str(path if path.exists() else tests / "heads"),
            str(tests / "heads" / "test_heads.py"),
            f"{laws}::test_head",
        ]
    if file.startswith("training/"):
        return [*own, str(tests / "training" / "test_checkpoint.py"), str(tests / "training" / "test_boosting.py")]
    return [*own, str(tests / f"test_{name}.py")]


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from other code."""

    def __init__(self, mutant):
        parts = ("chainrule", *Path(mutant.file).with_suffix("").parts)
        self.name, self.code, self.path = ".".join(parts), mutated(mutant), str(SOURCE / mutant.file)

    def find_spec(self, name, path, target=None):
        return importlib.util.spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_filename(self, name):
        return self.path

    def exec_module(self, module):
        exec(self.code, vars(module))


def seen(file, finder=None):
    """Whether a test of a file fails, or none ends, with the code of a finder, by default as it is."""
    child = os.fork()
    if not child:
        import pytest

        null = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(null, number)
        if finder is not None:
            sys.meta_path.insert(0, finder)
        code = pytest.main([*tests_of(file), "-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"])
        os._exit(0 if code == 0 else 1)
    until = time.monotonic() + PATIENCE
    while not (done := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return True
        time.sleep(0.02)
    return done[1] != 0


def main(count, seed):
    import scipy.stats  # noqa: F401  (imported once, before the forks)
    import torch

    torch.set_num_threads(1)
    chosen = random.Random(seed).sample(list(mutants()), count)
    kept = ROOT / "build" / "mutations" / f"{seed}.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    lines = kept.read_text().splitlines() if kept.exists() else []
    results = {name: was_seen for name, was_seen in map(json.loads, lines)}
    passes = set()
    for mutant in chosen:
        if str(mutant) not in results:
            if mutant.file not in passes:
                assert not seen(mutant.file), f"the tests of {mutant.file} fail without a change"
                passes.add(mutant.file)
            results[str(mutant)] = seen(mutant.file, Finder(mutant))
            with kept.open("a") as out:
                out.write(json.dumps([str(mutant), results[str(mutant)]]) + "\n")
    found = [results[str(mutant)] for mutant in chosen]
    share = sum(found) / count
    for mutant in chosen:
        if not results[str(mutant)]:
            print(f"survived: {mutant}")
    print(f"{sum(found)} of {count} mutants were seen: {share:.1%} +- {(share * (1 - share) / count) ** 0.5:.1%}")


if __name__ == "__main__":
    main(*(int(word) for word in (sys.argv[1:] + ["300", "0"][len(sys.argv) - 1 :])))
