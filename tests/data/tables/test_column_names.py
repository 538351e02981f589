"""Names of columns on the command line."""

import pytest

from chainrule.data import load
from chainrule.data.tables.column_names import assignments
from chainrule.errors import InputError


@pytest.mark.parametrize("text", ["x=real,x=count", "x=real, x=real", "a,b=real,x=count,a,b=count"])
def test_a_column_that_is_named_twice_is_refused(text):
    with pytest.raises(InputError, match="give it once"):
        assignments(text, ["x", "a,b"])


def test_the_kind_of_a_column_is_said_once(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n" + "".join(f"{n % 7},{n % 3}\n" for n in range(90)))
    with pytest.raises(InputError, match="'x' is given as 'real' and as 'count'"):
        load(str(tmp_path / "a.csv"), columns="x=real,y=categorical,x=count")
    data = load(str(tmp_path / "a.csv"), columns="x=count,y=categorical")
    assert data.encoding.column_names == ("x", "y")
