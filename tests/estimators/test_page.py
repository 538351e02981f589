"""The lines of docs/estimators.md run."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "estimators.md"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*between the steps")  # a half of the rows has a coarser step than the other
def test_the_page_on_estimators_runs(capsys):
    space: dict[str, object] = {}
    parts = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    for code in parts:
        exec(compile(code.replace("steps=50", "steps=10"), str(PAGE), "exec"), space)
    assert len(parts) == 4
    assert {"model", "novelty", "classifier"} <= set(space)
