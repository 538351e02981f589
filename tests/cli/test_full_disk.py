"""A disk that is full at any moment: one line says so, and the process ends."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow

CHILD = """
import faulthandler, resource, sys
from chainrule.cli.app import main
faulthandler.dump_traceback_later({patience}, exit=True)  # where it hangs, on standard error
resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))
sys.exit(main(sys.argv[1:]))
"""
PATIENCE = 200  # seconds; a loaded machine takes long


@pytest.mark.parametrize("room", [100, 3000, 10_000])
def test_a_full_disk_is_one_line_and_the_process_ends(tmp_path, room):
    """room: bytes that a file may have, which ends the fit in its data, its configuration or its weights."""
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{k % 3},{k % 5}\n" for k in range(60)))
    words = ("fit", tmp_path / "t.csv", "--out", tmp_path / "run", "--steps", "1", "--width", "8", "--depth", "1")
    child = CHILD.format(room=room, patience=PATIENCE)
    ended = subprocess.run([sys.executable, "-c", child, *words], capture_output=True, text=True, timeout=2 * PATIENCE)
    assert ended.returncode == 2, ended.stderr
    *_, last = ended.stderr.splitlines()
    assert last.startswith("error: /")
    assert "cannot be written (File too large)" in last
    assert "Traceback" not in ended.stderr
