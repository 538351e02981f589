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


OF_OTHER_KINDS = {f"chainrule.data.encodings.{kind}" for kind in ("tables", "images", "text", "documents", "fasta")}
OF_TRAINING = {"torch._dynamo", "sympy", "scipy", "sklearn", "pandas", "matplotlib", "chainrule.reporting.page"}


@pytest.mark.parametrize("words", [["evaluate"], ["score", "ARRAY"], ["sample", "-n", "2", "--out", "OUT"]])
def test_what_a_command_does_not_use_is_not_imported(words, tmp_path):
    places = {"ARRAY": str(GOLDEN / "data" / "grey.npy"), "OUT": str(tmp_path / "drawn.npy")}
    command, *more = [places.get(word, word) for word in words]
    code = COMMAND.format([command, str(RUN), *more])
    assert_not_imported(code, OF_TRAINING | OF_OTHER_KINDS | {"pyarrow", "duckdb", "PIL"})


def test_the_digits_are_read_and_a_grid_of_them_is_drawn_without_large_libraries():
    code = (
        "from chainrule.data.sources.digits import digits_parts; from chainrule.reporting.pictures import image_grid; "
        "image_grid(digits_parts()['test'][0][:9].reshape(-1, 8, 8), 17)"
    )
    assert_not_imported(code, {"sklearn", "scipy", "pandas", "matplotlib"})


def assert_not_imported(code, heavy):
    """In a process of its own, in the folder to which the data of the golden runs are relative."""
    script = f"{code}; import sys; sys.exit(', '.join({heavy} & set(sys.modules)) or None)"
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=GOLDEN)
    assert ended.returncode == 0, ended.stderr
