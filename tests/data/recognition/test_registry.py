"""The table of kinds of data: what it names is there."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from chainrule.data.encodings.base import Encoding
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.recognition.registry import DERIVED, KINDS, encoding_from_json, encodings
from chainrule.data.sources import digits
from chainrule.errors import InputError


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.load_name)
def test_a_line_names_what_its_file_has(kind):
    assert issubclass(kind.encoding, Encoding)
    assert kind.encoding.kind == kind.name
    assert kind.load.__annotations__["return"] == DataSet.__name__


def test_encodings_are_known_by_the_kind_that_runs_name():
    assert all(encoding.kind == name for name, encoding in encodings().items())
    assert set(encodings()) == {kind.name for kind in KINDS} | set(DERIVED)
    with pytest.raises(InputError, match="pixel_blocks"):
        encoding_from_json({"kind": "pixelblocks"})


@pytest.mark.parametrize("moved", [False, True])
def test_digits_are_those_of_scikit_learn_also_where_their_file_has_moved(moved, monkeypatch):
    if moved:
        monkeypatch.setattr(digits, "find_spec", lambda name: None)
    expected, parts = load_digits(), digits.digits_parts().values()
    for number, values, kind in ((0, expected.data, np.uint8), (1, expected.target, np.int64)):
        read = np.concatenate([part[number] for part in parts])
        assert read.dtype == kind
        np.testing.assert_array_equal(read, values)
