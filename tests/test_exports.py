"""The faces of the package tell the truth."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest


@pytest.mark.parametrize("package", ["chainrule.heads", "chainrule.networks", "chainrule.data"])
def test_faces_export_what_they_say(package):
    module = import_module(package)
    assert sorted(module.__all__, key=str.lower) == sorted(set(module.__all__), key=str.lower)
    for name in module.__all__:
        assert hasattr(module, name)


GOLDEN = Path(__file__).parent / "golden"
RUN = GOLDEN / "runs-1" / "array"
COMMAND = "from chainrule.cli.app import main; main({})"


@pytest.mark.parametrize(
    "code",
    [
        "import chainrule",
        COMMAND.format(["--help"]),
        COMMAND.format(["sample", "--help"]),
        COMMAND.format(["info", str(RUN)]),
    ],
)
def test_torch_is_not_imported_for_little(code):
    assert_not_imported(code, {"torch", "sklearn", "numpy", "pyarrow", "matplotlib"})


def test_what_only_training_needs_is_not_imported_to_score():
    code = COMMAND.format(["evaluate", str(RUN)])
    assert_not_imported(code, {"torch._dynamo", "sympy", "scipy", "sklearn", "pandas", "matplotlib"})


def assert_not_imported(code, heavy):
    """In a process of its own, in the folder to which the data of the golden runs are relative."""
    script = f"{code}; import sys; sys.exit(', '.join({heavy} & set(sys.modules)) or None)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=GOLDEN)
    assert ended.returncode == 0, ended.stderr
