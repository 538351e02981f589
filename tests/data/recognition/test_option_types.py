"""Options of `load` of another type than a loader takes are refused by name, whatever the kind of data."""

import numpy as np
import pytest

from chainrule import InputError
from chainrule.data import load

OTHER_TYPES = {
    "split": ([80, 10, 10], 5, b"x"),
    "split_seed": ("a", 1.5, True, 2**63, -1),
    "columns": (3, ["a"], {"a": 3}),
    "drop": (3, [1, 2]),
    "given": (3,),
    "header": (True, 1.5),
    "delimiter": (3,),
    "missing": (3, ["-"]),
    "dates": (3,),
    "split_column": (3, ""),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in OTHER_TYPES for value in OTHER_TYPES[name]])
def test_of_a_table(name, value):
    rows = [{"a": n % 7, "b": "xyz"[n % 3]} for n in range(60)]
    with pytest.raises(InputError, match=f"(?i){name.replace('_', '[-_ ]')}|column"):
        load(rows, **{name: value})


@pytest.mark.parametrize("options", [{"shape": "x"}, {"shape": 6}, {"split": 3}, {"levels": "x"}, {"given": 1}])
def test_of_an_array(options):
    with pytest.raises(InputError, match=next(iter(options))):
        load(np.random.default_rng(0).integers(0, 5, (100, 6)), **options)


@pytest.mark.parametrize("options", [{"window": "8"}, {"documents": 3}, {"symbols": 3}, {"stride": 1.5}, {"end": 3}])
def test_of_a_text(tmp_path, options):
    (tmp_path / "x.txt").write_text("some words\n" * 100)
    with pytest.raises(InputError, match=next(iter(options))):
        load(str(tmp_path / "x.txt"), **options)


def test_what_a_loader_takes_is_taken():
    x = np.arange(600).reshape(100, 6) % 5
    for shape in ((2, 3), [2, 3], np.array([2, 3]).tolist(), (np.int64(2), np.int64(3))):
        assert load(x, shape=shape, split="random:80/10/10").encoding.domain.shape == (2, 3)
    assert len(load(x, split="80/10/10", split_seed=np.int64(3)).train) == 80
