"""Well-known sets as their files stand, against a table of what a person would say: kinds, rows, missing values."""

import random
from collections import Counter

import pytest
from sklearn import datasets

from chainrule.data import load

pytestmark = pytest.mark.filterwarnings("ignore:the column:UserWarning")

C, L, N, R, D, K = "categorical", "ordinal", "count", "real", "density", "constant"


def lines(seed, rows, line):
    """Rows as a function of a random number generator writes them."""
    rng = random.Random(seed)
    return "".join(line(rng) + "\n" for _ in range(rows))


def adult(rng, end=""):
    cells = [
        rng.randint(17, 90),
        rng.choice(["Private", "Self-emp-not-inc", "?", "State-gov"]),
        rng.randint(20_000, 400_000),
        rng.choice(["Bachelors", "HS-grad", "11th"]),
        rng.randint(1, 16),
        rng.choice(["Never-married", "Divorced"]),
        rng.choice(["Sales", "?", "Adm-clerical"]),
        rng.choice(["Husband", "Wife"]),
        rng.choice(["White", "Black"]),
        rng.choice(["Male", "Female"]),
        rng.choice([0, 0, 0, 2174, 14084]),
        rng.choice([0, 0, 1902]),
        rng.choice([40, 50, 20, 60]),
        rng.choice(["United-States", "?", "Cuba"]),
        rng.choice(["<=50K", ">50K"]) + end,
    ]
    return ", ".join(map(str, cells))


def iris(rng):
    return f"{rng.uniform(4, 8):.1f},{rng.uniform(2, 4):.1f},Iris-{rng.choice(['setosa', 'versicolor', 'virginica'])}"


def wine(rng):
    return f"{rng.randint(1, 3)},{rng.uniform(11, 15):.2f},{rng.uniform(1, 5):.2f},{rng.randint(300, 1600)}"


def wine_quality(rng):
    alcohol = rng.choice(["9.4", "9.33333333333333"])
    return f"{rng.uniform(5, 15):.1f};{rng.uniform(3, 4):.2f};{alcohol};{rng.randint(3, 8)}"


def ionosphere(rng):
    return f"{rng.choice([0, 1, 1])},0,{rng.uniform(-1, 1):.5f},{rng.choice('gb')}"


def car(rng):
    return f"{rng.choice(['vhigh', 'high', 'low'])},{rng.choice(['2', '3', '5more'])},{rng.choice(['unacc', 'acc'])}"


def cancer(rng):
    return f"{rng.randint(10**6, 2 * 10**6)},{rng.randint(1, 10)},{rng.choice('?123456789')},{rng.choice([2, 4])}"


def cleveland(rng):
    thal = rng.choice(["0.0", "3.0", "6.0", "?"])
    return f"{rng.randint(30, 70)}.0,{rng.choice([0, 1])}.0,{rng.uniform(0, 4):.1f},{thal}"


def mushroom(rng):
    return f"{rng.choice('pe')},{rng.choice('xbsf')},{rng.choice('ysfg')},{rng.choice('bce?r')}"


def auto_mpg(rng):
    horses, name = rng.choice(["130.0", "?", "95.00"]), rng.choice(["ford pinto", "vw rabbit"])
    return f'{rng.uniform(9, 40):.1f}   {rng.choice([4, 6, 8])}   {horses}      {rng.randint(1600, 5000)}.\t"{name}"'


def fires(rng):
    return (
        f"{rng.randint(1, 9)},{rng.choice(['mar', 'oct', 'aug'])},{rng.uniform(80, 96):.1f},{rng.choice([0, 0, 1.95])}"
    )


ADULT = [N, C, N, C, L, C, C, C, C, C, L, C, L, C, C]
QUALITY = '"fixed acidity";"pH";"alcohol";"quality"\n' + lines(0, 200, wine_quality)
SETS = {  # text, kinds, rows, columns that may be missing, first name
    "adult.data": (lines(0, 200, adult) + "\n", ADULT, 200, ["c1", "c6", "c13"], "c0"),
    "adult.test.csv": (
        "|1x3 Cross validator\n" + lines(1, 200, lambda rng: adult(rng, ".")),
        ADULT,
        200,
        ["c1", "c6", "c13"],
        "c0",
    ),
    "iris.data": (lines(0, 150, iris) + "\n", [R, R, C], 150, [], "c0"),
    "wine.data": (lines(0, 178, wine), [L, R, R, N], 178, [], "c0"),
    "winequality-red.csv": (QUALITY, [R, R, R, L], 200, [], "fixed acidity"),
    "ionosphere.data": (lines(0, 351, ionosphere), [C, K, R, C], 351, [], "c0"),
    "car.data": (lines(0, 200, car), [C, C, C], 200, [], "c0"),
    "breast-cancer-wisconsin.data": (lines(0, 300, cancer), [N, L, L, C], 300, ["c2"], "c0"),
    "processed.cleveland.data": (lines(0, 300, cleveland), [N, C, R, L], 300, ["c3"], "c0"),
    "agaricus-lepiota.data": (lines(0, 300, mushroom), [C, C, C, C], 300, ["c3"], "c0"),
    "auto-mpg.data": (lines(0, 100, auto_mpg), [R, L, C, N, C], 100, ["c2"], "c0"),
    "forestfires.csv": ("X,month,FFMC,area\n" + lines(0, 200, fires), [L, C, R, R], 200, [], "X"),
}


@pytest.mark.parametrize("name", SETS)
def test_files_in_the_style_of_uci(tmp_path, name):
    text, kinds, rows, missing, first = SETS[name]
    (tmp_path / name).write_text(text)
    data = load(str(tmp_path / name))
    columns = data.encoding.columns
    assert [column.kind for column in columns] == kinds
    assert sum(map(len, data.splits.values())) == rows
    assert [column.name for column in columns if column.missing is not None] == missing
    assert columns[0].name == first


PACKED = {  # how many columns are of each kind
    "iris": {R: 4, L: 1},
    "wine": {R: 11, N: 2, L: 1},
    "breast_cancer": {R: 30, C: 1},
    "diabetes": {D: 9, R: 1, N: 1},
    "linnerud": {N: 6},
}


@pytest.mark.parametrize("name", PACKED)
def test_sets_of_scikit_learn_as_frames_and_files(tmp_path, name):
    frame = vars(datasets)[f"load_{name}"](as_frame=True).frame
    data = load(frame)
    assert Counter(column.kind for column in data.encoding.columns) == PACKED[name]
    assert sum(map(len, data.splits.values())) == len(frame)
    frame.to_csv(tmp_path / "a.csv", index=False)
    again = load(str(tmp_path / "a.csv"))
    assert (again.digest(), again.encoding) == (data.digest(), data.encoding)


MEASURED = {
    "ionosphere": (351, {C: 2, K: 1, R: 32}),
    "winequality-red": (1599, {R: 11, L: 1}),
    "winequality-white": (4898, {R: 11, L: 1}),
}


@pytest.mark.parametrize("name", MEASURED)
def test_sets_of_uci_that_are_continuous(shared_data, name):
    rows, kinds = MEASURED[name]
    data = load(str(shared_data / "uci_continuous" / f"{name}.csv"))
    assert sum(map(len, data.splits.values())) == rows
    assert Counter(column.kind for column in data.encoding.columns) == kinds
    assert all(column.missing is None for column in data.encoding.columns)
