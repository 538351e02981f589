"""The house: what stands where, how large it is, and what no file may do."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "chainrule"
FILES = sorted(SOURCE.rglob("*.py"))
VALUES = {"likelihood", "batch", "domain", "noise", "atomic_files", "errors"}  # that everything else is made of

LONGEST_FILE = 320  # lines
LONGEST_FUNCTION = 50  # lines, docstring apart
MOST_PARAMETERS = 7

# The public functions of the commands take the options of the commands, by keyword, as does what `load` hands them to.
COMMANDS = {"load", "open", "plan", "fit", "evaluate", "sample", "score", "verify", "compare", "classify", "probe"}
COMMANDS |= {"report", "info", "import_model", "reproduce", "compress", "load_documents", "load_table"}


def name_of(path):
    return str(path.relative_to(SOURCE))


@cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path):
    """Each function of a file with the class that it stands in, None if there is none."""

    def walk(node, owner):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield child, owner
            yield from walk(child, child.name if isinstance(child, ast.ClassDef) else owner)

    return list(walk(tree(path), None))


def docstring_lines(function):
    first = function.body[0]
    is_text = (
        isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    )
    return first.end_lineno - first.lineno + 1 if is_text else 0


def parameters(function):
    given = function.args
    return [argument.arg for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs)]


def calls(path):
    """Each call of a plain name in a file: the name and the call."""
    found = (node for node in ast.walk(tree(path)) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name))
    return [(call.func.id, call) for call in found]


def none_of(offenders, limit=40):
    assert not offenders, f"{len(offenders)}:\n" + "\n".join(offenders[:limit])


def test_only_the_values_and_the_face_stand_at_the_root():
    assert {path.stem for path in SOURCE.glob("*.py")} == VALUES | {"__init__", "__main__"}


def test_the_tree_of_the_readme_is_that_of_the_package():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = text[text.index("```\nsrc/chainrule/") :].split("```")[1]
    inside = block[: block.index("recipes/")]
    named = set(re.findall(r"\b([a-z_]+)/(?= )", inside)) - {"src", "chainrule"}
    there = {path.parent.name for path in SOURCE.glob("*/*.py")}
    subfolders = {path.parent.name for path in SOURCE.glob("*/*/*.py")}
    assert there <= named <= there | subfolders
    (values,) = (line for line in inside.splitlines() if "likelihood, batch" in line)
    assert set(re.findall(r"[a-z_]+", values)) >= VALUES
    for folder in re.findall(r"^([a-z]+)/", block[block.index("recipes/") :], re.MULTILINE):
        assert (ROOT / folder).is_dir(), folder


def test_the_tests_mirror_the_package():
    folders = {path.parent.name for path in (ROOT / "tests").glob("*/__init__.py")}
    assert folders - {"laws", "mutants", "golden", "support"} <= {path.parent.name for path in SOURCE.glob("*/*.py")}
    values = {path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("test_*.py")}
    assert values <= VALUES | {"benchmarks", "docs", "exports", "face", "house", "install", "tutorials"}


def test_files_are_short():
    lengths = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    none_of([f"{name}: {length} lines" for name, length in lengths.items() if length >= LONGEST_FILE])


def test_functions_are_short():
    offenders = []
    for path in FILES:
        for function, _ in functions(path):
            lines = function.end_lineno - function.lineno + 1 - docstring_lines(function)
            if lines >= LONGEST_FUNCTION:
                offenders.append(f"{name_of(path)}: {function.name} has {lines} lines")
    none_of(offenders)


def test_functions_take_few_parameters():
    """Constructors and the public functions of the commands apart."""
    offenders = []
    for path in FILES:
        for function, owner in functions(path):
            taken = [name for name in parameters(function) if owner is None or name not in ("self", "cls")]
            reads = function.name.startswith("load_")  # each kind of data takes options of `load`
            if len(taken) > MOST_PARAMETERS and function.name not in {"__init__", *COMMANDS} and not reads:
                offenders.append(f"{name_of(path)}: {function.name} takes {len(taken)}: {', '.join(taken)}")
    none_of(offenders)


def test_the_options_of_a_command_are_keywords():
    for path in FILES:
        for function, owner in functions(path):
            positional = [name for name in parameters(function) if name not in ("self", "cls")]
            if function.name in COMMANDS and len(positional) > MOST_PARAMETERS:
                ahead = len(function.args.posonlyargs) + len(function.args.args) - (owner is not None)
                assert ahead <= MOST_PARAMETERS, f"{name_of(path)}: {function.name} takes {ahead} by position"


# Where something is asked for an attribute by name: what, and why it cannot declare it.
OF_ITSELF = re.compile(r"^getattr\(self, ")  # fields of our own dataclasses, by name
OF_A_MODULE = re.compile(r"^getattr\(import_module\(")  # what is imported on first use
ASKED = {
    "config/old_names.py": {"getattr(there, name)": "a module of the version before"},
    "data/sources/objects.py": {
        "hasattr(part, 'column_names')": "a user's data set of Hugging Face",
        "hasattr(part, 'with_format')": "a user's data set of Hugging Face",
        "hasattr(part, word)": "a user's frame",
        "hasattr(part, 'detach')": "a user's tensor",
        "hasattr(part, '__len__')": "a user's sequence",
        "hasattr(part, '__getitem__')": "a user's sequence",
        "hasattr(x, 'detach')": "a user's tensor",
        "hasattr(x, 'getpalette')": "a picture of pillow",
    },
    "data/sources/typed_tables.py": {
        "hasattr(frame, 'to_arrow')": "a user's frame",
        "hasattr(frame, 'to_frame')": "a user's frame",
        "hasattr(frame, 'iloc')": "a user's frame",
    },
    "likelihood.py": {"getattr(self.possible, name)": "a property of LogLikelihood, by its name"},
    "models/logits.py": {"getattr(output, 'logits', output)": "what a user's module returns"},
    "networks/huggingface.py": {
        "getattr(config, 'vocab_size', None)": "a configuration of transformers",
        "getattr(config, f'{which}_token_id', None)": "a configuration of transformers",
        "getattr(config, name, None)": "a configuration of transformers",
        "getattr(out, 'past_key_values', None)": "what a model of transformers returns",
    },
    "networks/recomputed.py": {"getattr(output, 'logits', output)": "what a user's module returns"},
    "reproduction/recipe.py": {"getattr(module, 'RECIPES', ())": "a user's file of recipes"},
    "reproduction/record.py": {
        "getattr(likelihood, recipe.metric)": "a property of LogLikelihood, by the name of its unit",
        "hasattr(os, 'getloadavg')": "a function that Windows lacks",
        "getattr(weights, metric)": "a property of LogLikelihood, by the name of its unit",
        "getattr(scored.likelihood, metric)": "a property of LogLikelihood, by the name of its unit",
        "getattr(LogLikelihood.of_counts(apart, evaluation.counts, units=units), metric)": "the same",
    },
    "training/allocation.py": {"getattr(ctypes.CDLL(None), 'mallopt', None)": "a function of glibc"},
    "training/engine.py": {
        "hasattr(tensor, 'full_tensor')": "a tensor of torch, whole or sharded",
        "hasattr(parameter, 'full_tensor')": "a tensor of torch, whole or sharded",
    },
    "verification/certificate/adapters.py": {
        "getattr(thing, 'num_symbols', None)": "a user's module",
        "getattr(thing, 'length', None)": "a user's module",
        "hasattr(thing, 'generate')": "a user's module of transformers",
        "hasattr(thing, 'prepare_inputs_for_generation')": "a user's module of transformers",
    },
    "verification/certificate/data_accounting.py": {
        "getattr(examples, 'owner', None)": "a user's examples",
        "getattr(examples, 'is_stream', False)": "a user's examples",
        "getattr(examples, 'windows', None)": "a user's examples",
    },
    "verification/certificate/special.py": {
        "getattr(tested.thing, 'config', None)": "a user's module",
        "getattr(at, f'{word}_token_id', None)": "a configuration of transformers",
    },
    "verification/certificate/tested.py": {
        "getattr(self.thing, '__name__', type(self.thing).__name__)": "a user's function or module",
    },
}


def test_only_what_is_not_ours_is_asked_for_its_attributes():
    offenders = []
    for path in FILES:
        for name, call in calls(path):
            asked = ast.unparse(call)
            known = OF_ITSELF.match(asked) or OF_A_MODULE.match(asked) or asked in ASKED.get(name_of(path), {})
            if name in ("getattr", "hasattr") and not known:
                offenders.append(f"{name_of(path)}:{call.lineno}: {asked}")
    none_of(offenders)


def test_no_reason_to_ask_outlives_its_question():
    for name, reasons in ASKED.items():
        there = {ast.unparse(call) for _, call in calls(SOURCE / name)}
        assert set(reasons) <= there, f"{name}: {set(reasons) - there}"


def classes_of(folder):
    nodes = (node for path in (SOURCE / folder).rglob("*.py") for node in ast.walk(tree(path)))
    return {node.name for node in nodes if isinstance(node, ast.ClassDef)}


@pytest.mark.parametrize(("folder", "contracts"), [("data", "Encoding"), ("models", "Model")])
def test_nobody_outside_asks_which_encoding_or_which_model_it_is(folder, contracts):
    """Whether something that a user brings is a model at all may be asked."""
    leaves = {name for name in classes_of(folder) if folder == "models" or name.endswith("Encoding")} - {contracts}
    offenders = []
    for path in FILES:
        for name, call in calls(path):
            outside = not path.is_relative_to(SOURCE / folder)
            if outside and name == "isinstance" and set(re.findall(r"\w+", ast.unparse(call.args[1]))) & leaves:
                offenders.append(f"{name_of(path)}:{call.lineno}: {ast.unparse(call)}")
    none_of(offenders)


def test_no_builtin_is_shadowed_by_an_import():
    """But for the alias of `load` that stays in `chainrule.data` for one version."""
    alias = {"open"}
    builtins = {"open", "input", "list", "dict", "set", "type", "iter", "next", "filter", "map", "sum", "max", "min"}
    offenders = []
    for path in FILES:
        shadowed = builtins - (alias if name_of(path) in ("data/__init__.py", "data/recognition/load.py") else set())
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ImportFrom):
                taken = {name.asname or name.name for name in node.names} & shadowed
                offenders += [f"{name_of(path)}:{node.lineno}: {name}" for name in taken]
        for node in tree(path).body:
            if isinstance(node, ast.FunctionDef) and node.name in shadowed:
                offenders.append(f"{name_of(path)}:{node.lineno}: {node.name}")
    none_of(offenders)


def test_a_docstring_that_describes_one_parameter_describes_all():
    """Each on a line of its own, or in the text."""
    offenders = []
    for path in FILES:
        for function, _ in functions(path):
            text, names = ast.get_docstring(function) or "", parameters(function)
            described = any(re.search(rf"^{name}(, \w+)*: ", text, re.MULTILINE) for name in names)
            if not function.name.startswith("_") and described:
                missing = [
                    name for name in names if name not in ("self", "cls", "run") and not re.search(rf"\b{name}\b", text)
                ]
                offenders += [f"{name_of(path)}: {function.name} leaves out {', '.join(missing)}"] if missing else []
    none_of(offenders)
