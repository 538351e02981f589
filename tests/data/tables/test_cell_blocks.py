"""Blocks of very many columns give what their columns give one by one."""

import numpy as np
import pyarrow as pa
import pytest

from chainrule.data.tables.cell_blocks import canonical_block
from chainrule.data.tables.cells import canonical
from chainrule.data.tables.survey import Survey

CELLS = {
    "numbers": ["1", "2.50", "-3", "+4", "1e3", "", "NA", None],
    "whole": ["1", "2", "10"],
    "binary": ["0", "1"],
    "codes": ["007", "12", "0"],
    "texts": ["a", "b", "NA"],
    "dates": ["2024-02-29", "2024-03-01 10:00"],
    "truth": ["true", "False"],
    "nothing": ["", None],
    "units": ["1%", "2 %"],
    "spaced": [" 1", "2 "],
}


def block(columns, rows, seed):
    rng = np.random.default_rng(seed)
    kinds = [list(CELLS)[k % len(CELLS)] for k in range(columns)]
    made = [[CELLS[kind][k] for k in rng.integers(0, len(CELLS[kind]), rows)] for kind in kinds]
    return pa.table([pa.array(cells, pa.string()) for cells in made], names=[f"x{k}" for k in range(columns)])


@pytest.mark.parametrize("columns", [3, 64, 200])
def test_a_block_is_its_columns(columns):
    blocks = [block(columns, rows, seed) for seed, rows in enumerate((20, 1, 7))]
    surveys = [Survey(name) for name in blocks[0].column_names]
    for some in blocks:
        for survey, column in zip(surveys, some.columns, strict=True):
            survey.update(column)
    spellings = [survey.decide(str)[0] for survey in surveys]
    assert {spelling.kind for spelling in spellings} >= {"number"}
    for some in blocks:
        texts = canonical_block(some, spellings)
        for k, spelling in enumerate(spellings):
            assert texts.column(k).to_pylist() == canonical(some.column(k), spelling).to_pylist()
