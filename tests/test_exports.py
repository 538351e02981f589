"""The faces of the package tell the truth."""

import subprocess
import sys
from importlib import import_module

import pytest


@pytest.mark.parametrize("package", ["chainrule.heads", "chainrule.networks", "chainrule.data"])
def test_faces_export_what_they_say(package):
    module = import_module(package)
    assert sorted(module.__all__, key=str.lower) == sorted(set(module.__all__), key=str.lower)
    for name in module.__all__:
        assert hasattr(module, name)


@pytest.mark.parametrize("code", ["import chainrule", "from chainrule.cli.app import main; main(['--help'])"])
def test_torch_is_not_imported_for_little(code):
    script = f"{code}; import sys; sys.exit('torch' in sys.modules or 'sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True).returncode == 0
