"""Where the golden copies are."""

from pathlib import Path

GOLDEN = Path(__file__).parent
RUNS = GOLDEN / "runs-1"
