"""The lines of docs/estimators.md run."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "estimators.md"


@pytest.mark.slow
def test_the_page_on_estimators_runs(capsys):
    space: dict[str, object] = {}
    parts = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for code in parts:
        exec(compile(code, str(PAGE), "exec"), space)
    assert len(parts) == 4
    assert {"model", "novelty", "classifier"} <= set(space)
