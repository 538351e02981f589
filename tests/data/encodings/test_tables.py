"""Tables: kinds of columns, missing and rare values, conditions, and the way back."""

import gzip
import json
import string

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import Batch, InputError, RareHead
from chainrule.baselines.chow_liu import ChowLiuTree
from chainrule.baselines.fitted import fit_baselines
from chainrule.cli.app import main
from chainrule.config.defaults import default_spec
from chainrule.config.registry import build_model
from chainrule.data import ArrayExamples, encoding_from_json, load
from chainrule.evaluation.evaluate import evaluate

pytestmark = pytest.mark.filterwarnings("ignore:the column:UserWarning")


@pytest.fixture(scope="module")
def frame():
    """A column of every kind."""
    n = 400
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "sex": rng.choice(["F", "M"], n),
            "stars": rng.integers(1, 6, n),
            "clicks": rng.poisson(40, n) ** 2,
            "height": np.round(rng.normal(170, 10, n), 1),
            "noise": rng.normal(size=n),
            "born": pd.date_range("1950-01-01", periods=n).strftime("%Y-%m-%d"),
            "zip": [f"{k:05d}" for k in rng.integers(0, 200, n)],
            "id": [f"u{k}" for k in range(n)],
            "planet": "earth",
            "share": np.where(rng.random(n) < 0.2, np.nan, np.round(rng.random(n), 2)),
        }
    )


KINDS = ["categorical", "ordinal", "count", "real", "density", "date", "categorical", "identifier", "constant", "real"]


def test_kinds_are_found_and_can_be_overridden(frame):
    encoding = load(frame).encoding
    assert [column.kind for column in encoding.columns] == KINDS
    assert [column.missing for column in encoding.columns] == [None] * 9 + [""]
    assert encoding.columns[3].resolution == pytest.approx(0.1)
    other = load(frame, columns="stars=categorical,height=real:0.05,noise=density", drop="id,planet").encoding
    assert [column.kind for column in other.columns] == ["categorical"] * 2 + KINDS[2:7] + ["real"]
    assert other.columns[3].resolution == 0.05
    assert encoding_from_json(json.loads(json.dumps(encoding.to_json()))) == encoding


def test_one_table_from_many_files(frame, tmp_path):
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    frame.to_csv(tmp_path / "a.csv.gz", index=False)
    frame.to_csv(tmp_path / "bom.csv", index=False, encoding="utf-8-sig")
    frame.to_parquet(tmp_path / "a.parquet")
    pyarrow.feather.write_feather(pa.Table.from_pandas(frame), tmp_path / "a.arrow")
    sources = [*map(str, sorted(tmp_path.iterdir())), frame, pa.Table.from_pandas(frame)]
    assert len({load(source).digest() for source in sources}) == 1


def test_mushroom_is_the_same_from_csv_and_parquet(shared_data):
    csv, parquet = (load(str(shared_data / "mushroom_csv" / f"mushroom.{e}")) for e in ("csv", "parquet"))
    assert csv.digest() == parquet.digest()
    assert csv.encoding == parquet.encoding
    columns = csv.encoding.columns
    assert [c.outcomes for c in columns] == [2, 6, 4, 10, 2, 9, 2, 2, 2, 12, 2, 5, 4, 4, 9, 9, 1, 4, 3, 5, 9, 6, 7]
    assert (columns[16].kind, columns[11].missing) == ("constant", "")
    x = np.concatenate([csv.split(name).x for name in ("train", "valid", "test")])
    assert (len(x), int((x[:, 11] == 4).sum())) == (8124, 2480)


def test_samples_written_are_read_again(frame, tmp_path):
    data = load(frame, given="sex,share")
    x = data.train.x[:200]
    (tmp_path / "s.csv").write_bytes(data.encoding.write(data.encoding.decode(x), "sex=F,share=0.25"))
    again = data.encoding.encode(str(tmp_path / "s.csv"))
    assert again.impossible is None
    assert (again.x == x).all()
    assert (again.context == data.encoding.conditions.parse("sex=F,share=0.25")).all()


cells = st.one_of(
    st.just(""),
    st.text(string.ascii_letters + ' ,"\n;é', min_size=1, max_size=5),
    st.integers(-1000, 1000).map(str),
    st.decimals(-100, 100, places=2).map(str),
)


@settings(max_examples=30)
@given(st.lists(st.tuples(cells, cells), min_size=12, max_size=20, unique=True))
def test_any_table_survives(tmp_path_factory, rows):
    names = {"a": ["x", "v", "w", "3"], "b": ["x", "y", "z", "2.5"]}  # so that no column is meant to be numbers
    table = pa.table({"a": [*names["a"], *(a for a, _ in rows)], "b": [*names["b"], *(b for _, b in rows)]})
    data = load(table, split="order:60/20/20")
    x = np.concatenate([data.split(name).x for name in ("train", "valid", "test")])
    path = tmp_path_factory.mktemp("any") / "t.csv"
    path.write_bytes(data.encoding.write(data.encoding.decode(x)))
    again = data.encoding.encode(str(path))
    assert again.impossible is None
    assert np.array_equal(again.x, x, equal_nan=x.dtype.kind == "f")


def model_of(data, **network):
    spec = default_spec(data.encoding.domain, data.encoding.group, "transformer" if network else None)
    spec["network"] |= {"width": 8, "depth": 1, "dropout": 0.0} | network
    torch.manual_seed(0)
    model = build_model(spec, data.encoding.domain, data.encoding.context_options)
    model.initialise(data.train.batch(np.arange(len(data.train))).x)
    return model.eval()


def test_a_model_of_every_kind_samples_what_it_can_read(frame, tmp_path):
    data = load(frame, given="sex")
    model = model_of(data)
    context = torch.from_numpy(data.encoding.conditions.parse("sex=M")).expand(30, -1)
    sample = model.sample(30, seed=1, context=context)
    (tmp_path / "s.csv").write_bytes(data.encoding.write(data.encoding.decode(sample.x.numpy()), "sex=M"))
    again = data.encoding.encode(str(tmp_path / "s.csv"))
    assert again.impossible is None
    assert np.array_equal(again.x, sample.x.numpy(), equal_nan=True)
    scored = evaluate(model, again).nats
    assert scored == pytest.approx(sample.log_prob.numpy(), abs=1e-2)


def test_rows_of_symbols_are_normalised():
    rng = np.random.default_rng(0)
    table = pa.table({"a": [f"v{k}" for k in rng.integers(0, 3, 60)], "b": ["x", "y", None] * 20, "c": ["k"] * 60})
    data = load(table, split="order:80/10/10")
    model = model_of(data)
    every = torch.tensor([[a, b, 0] for a in range(3) for b in range(3)])
    assert float(model.log_prob(Batch(every)).detach().double().exp().sum()) == pytest.approx(1, abs=1e-5)


def test_unknown_values_are_impossible_and_unknown_conditions_refused(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n" + "x,1\ny,2\n" * 30)
    (tmp_path / "b.csv").write_text("a,b\nx,1\nz,2\n")
    data = load(str(tmp_path / "a.csv"), split="order:1/1/1")
    examples = data.encoding.encode(str(tmp_path / "b.csv"))
    assert examples.impossible.tolist() == [False, True]
    result = evaluate(model_of(data), examples)
    assert result.nats[1] == -np.inf
    assert (result.likelihood.impossible, result.likelihood.examples) == (1, 2)
    with pytest.raises(InputError, match=r"b.csv line 3: the given column 'a' has 'z'"):
        load(str(tmp_path / "a.csv"), given="a", split="order:1/1/1").encoding.encode(str(tmp_path / "b.csv"))


def test_rare_values_share_a_bucket_evenly():
    head = RareHead(8, 100, frequent=9)
    p = head(torch.randn(3, 8))
    pmf = p.pmf()
    assert torch.equal(pmf[:, 9], pmf[:, 99])
    assert (pmf[:, 9:].sum(1) - p.bucket.pmf()[:, -1]).abs().max() < 1e-6
    x = torch.full((3,), 57)
    assert (p.log_prob(x).exp() - pmf[:, 57]).abs().max() < 1e-7


def test_splits_given_by_files(frame, tmp_path):
    for name, rows in (("train", slice(300)), ("test", slice(300, 400))):
        frame[rows].to_csv(tmp_path / f"{name}.csv", index=False)
    data = load(str(tmp_path))
    assert [len(data.split(name)) for name in ("train", "valid", "test")] == [250, 50, 100]
    assert "a sixth of train at random" in data.note


def test_chow_liu_is_the_best_tree():
    """Against a search over all trees of four elements, scored by their fitted likelihood in numpy."""
    rng = np.random.default_rng(0)
    x = np.zeros((500, 4), dtype=np.int64)
    x[:, 0] = rng.integers(0, 3, 500)
    for child, parent in ((2, 0), (1, 2), (3, 0)):
        x[:, child] = np.where(rng.random(500) < 0.7, x[:, parent], rng.integers(0, 3, 500))
    tree = ChowLiuTree.fit(ArrayExamples(x), 3)
    every = np.stack(np.meshgrid(*[range(3)] * 4, indexing="ij"), -1).reshape(-1, 4)
    assert float(tree(Batch(torch.from_numpy(every))).exp().sum()) == pytest.approx(1, abs=1e-12)

    def likelihood(parents):
        total = 0.0
        for d, parent in enumerate(parents):
            counts = np.ones((3, 3 if parent >= 0 else 1))
            given = x[:, parent] if parent >= 0 else np.zeros(500, dtype=int)
            np.add.at(counts, (x[:, d], given), 1)
            total += np.log(counts / counts.sum(0))[x[:, d], given].sum()
        return total

    rooted = ((-1, a, b, c) for a in (0, 2, 3) for b in (0, 1, 3) for c in (0, 1, 2))
    trees = [t for t in rooted if (t[1], t[2]) != (2, 1) and (t[1], t[3]) != (3, 1) and (t[2], t[3]) != (3, 2)]
    trees = [t for t in trees if (t[1], t[2], t[3]) not in ((2, 3, 1), (3, 1, 2))]
    assert len(trees) == 16
    found = float(tree(Batch(torch.from_numpy(x))).sum())
    assert found == pytest.approx(max(map(likelihood, trees)), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "independent", "chow_liu"),
    [
        ("debd/nltcs", 9.234, 6.759),
        ("debd/plants", 31.266, 16.524),
        ("debd/dna", 100.386, 87.735),
        ("uci_nade/mushrooms.npz", 34.23, 21.02),
        pytest.param("debd/msnbc", 6.770, 6.540, marks=pytest.mark.slow),
        pytest.param("debd/jester", 63.883, 58.227, marks=pytest.mark.slow),
        pytest.param("debd/accidents", 45.560, 33.188, marks=pytest.mark.slow),
        pytest.param("debd/tretail", 11.422, 10.947, marks=pytest.mark.slow),
        pytest.param("debd/book", 41.121, 37.843, marks=pytest.mark.slow),
        pytest.param("uci_nade/adult.npz", 25.77, 18.53, marks=pytest.mark.slow),
        pytest.param("uci_nade/dna.npz", 100.39, 87.80, marks=pytest.mark.slow),
        pytest.param("uci_nade/nips.npz", 294.80, 280.90, marks=pytest.mark.slow),
        pytest.param("binarized_mnist/binarized_mnist.npz", 205.79, 134.99, marks=pytest.mark.slow),
    ],
)
def test_baselines_of_the_binary_sets(shared_data, name, independent, chow_liu):
    data = load(str(shared_data / name))
    fitted = fit_baselines(data)
    for baseline, published in (("independent elements", independent), ("Chow-Liu tree", chow_liu)):
        nats = evaluate(fitted[baseline], data.test, batch_size=2048).likelihood.nats_per_example.value
        assert nats == pytest.approx(published, abs=0.05)


@pytest.mark.slow
def test_the_command_line_fits_and_samples_p_of_x_given_c(frame, tmp_path, capsys):
    frame.drop(columns="id").to_csv(tmp_path / "t.csv", index=False)
    quick = ["--steps", "4", "--evaluate-every", "2", "--width", "8", "--depth", "1"]
    out = str(tmp_path / "run")
    assert main(["fit", str(tmp_path / "t.csv"), "--given", "sex,stars", "--out", out, *quick]) == 0
    assert json.loads((tmp_path / "run" / "config.json").read_text())["protocol"]["context"] == "columns sex, stars"
    capsys.readouterr()
    sampled = tmp_path / "s.csv"
    assert main(["sample", out, "--given", "sex=F,stars=2", "-n", "5", "--out", str(sampled)]) == 0
    assert sampled.read_text().count("\n") == 6
    assert main(["score", out, str(sampled), "--out", str(tmp_path / "scores.csv")]) == 0
    assert main(["evaluate", out]) == 0
    capsys.readouterr()
    for arguments in (["-n", "2"], ["--given", "sex=F"], ["--given", "sex=X,stars=2"]):
        assert main(["sample", out, *arguments]) == 2
        assert "error: " in capsys.readouterr().err


@pytest.mark.slow
def test_a_million_rows_fit_into_memory(tmp_path):
    """The whole process, torch included, stays below 2 GB."""
    import subprocess
    import sys

    rng = np.random.default_rng(0)
    with (tmp_path / "big.csv").open("w") as file:
        file.write("city,age,amount,clicks,day,name\n")
        for _ in range(20):
            n = 50_000
            columns = [
                [f"c{k}" for k in rng.zipf(1.5, n) % 5000],
                rng.integers(18, 90, n),
                np.round(rng.lognormal(3, 1, n), 2),
                rng.poisson(30, n) ** 2,
                np.datetime_as_string(np.datetime64("2020-01-01") + rng.integers(0, 1000, n)),
                [f"n{k}" for k in rng.integers(0, 50_000, n)],
            ]
            file.writelines(",".join(map(str, row)) + "\n" for row in zip(*columns, strict=True))
    code = (
        "import resource, sys; from chainrule.data import load; d = load(sys.argv[1]); d.digest(); "
        "print(sum(len(d.split(s)) for s in ('train', 'valid', 'test')), "
        "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "big.csv")], capture_output=True, check=True, text=True
    )
    rows, kilobytes = map(int, out.stdout.split())
    assert rows == 1_000_000
    assert kilobytes < 2_000_000


def test_bad_tables_leave_one_line_and_no_run(tmp_path, capsys):
    (tmp_path / "t.csv").write_text(GOOD)
    (tmp_path / "r.csv").write_text(GOOD + "x,1,3\n")
    out = tmp_path / "run"
    for name, *options in (
        ("r.csv",),
        ("t.csv", "--given", "c"),
        ("t.csv", "--drop", "a,b"),
        ("t.csv", "--levels", "2"),
    ):
        assert main(["fit", str(tmp_path / name), "--out", str(out), *options]) == 2
        error = capsys.readouterr().err
        assert (error.startswith("error: "), error.count("\n"), name in error) == (True, 1, True)
        assert not out.exists()


# --- bad input --------------------------------------------------------------------------------------------------------

GOOD = "a,b\n" + "x,1\ny,2\n" * 20
BAD = {
    "ragged": (GOOD + "x,1,3\n", {}, "t.csv line 42: has 3 values, expected 2"),
    "not UTF-8": (GOOD.encode() + b"\xff,1\n", {}, "t.csv line 42: the bytes .* are not UTF-8"),
    "not UTF-8 in the header": (b"\xff,b\n", {}, "line 1: the bytes .* are not UTF-8"),
    "empty": ("", {}, "the table is empty"),
    "no rows": ("a,b\n", {}, "a header and no rows"),
    "a name twice": ("a,a\n1,2\n", {}, "have the same name 'a'"),
    "a column without values": ("a,b\n" + "x,\ny,?\n" * 20, {}, "'b' has no values at all"),
    "an unknown column": (GOOD, {"drop": "c"}, "unknown column of"),
    "a label that is missing": (GOOD, {"given": "label"}, "unknown column of .* 'label'"),
    "an unknown kind": (GOOD, {"columns": "a=catgorical"}, "did you mean 'categorical'"),
    "a kind that does not fit": (GOOD, {"columns": "a=count"}, "cannot be of the kind 'count'"),
    "a resolution that is none": (GOOD, {"columns": "b=real:x"}, "positive number such as 0.1, got 'x'"),
    "a resolution that is too wide": (
        GOOD.replace("2", "2.5"),
        {"columns": "b=real:2"},
        "line 2: '1' in the column 'b' is no",
    ),
    "everything given": (GOOD, {"given": "a,b"}, "every column is given"),
    "a split too small": ("a,b\nx,1\ny,2\n", {}, "split is empty"),
    "an option of images": (GOOD, {"levels": 2}, "does not apply here"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tables_are_refused_by_name(tmp_path, case):
    content, options, words = BAD[case]
    path = tmp_path / "t.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=words):
        load(str(path), **options)


def test_bad_files_are_named(tmp_path):
    packed = gzip.compress(GOOD.encode() * 2000)
    rng = np.random.default_rng(0)
    for name, content, words in (
        ("cut.csv.gz", packed[: len(packed) // 2], "cut.csv.gz: the gzip file is cut off"),
        ("t.parquet", b"PAR1 no", "t.parquet: cannot be read"),
        ("t.data", b"0,1\n0,1,1\n", "t.data row 2: has 3 values, the first row 2"),
        ("v.data", rng.bytes(40), "v.data"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(InputError, match=words):
            load(str(path))
    with pytest.raises(InputError, match="no such file"):
        load(str(tmp_path / "none.csv"))
    with pytest.raises(InputError, match="unknown split 'a'"):
        load({"a": [1]})


def test_a_row_that_does_not_fit_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n" + "".join(f"x,{k}\n" for k in range(100)))
    encoding = load(str(tmp_path / "a.csv")).encoding
    for content, words in (
        ("a,b\nx,1\nx,many\n", r"b.csv line 3: 'many' in the column 'b' is not a number"),
        ("a\nx\n", "has no column 'b'"),
        ("a,b,c\nx,1,2\n", "a column 'c' that the model does not know"),
    ):
        (tmp_path / "b.csv").write_text(content)
        with pytest.raises(InputError, match=words):
            encoding.encode(str(tmp_path / "b.csv"))


@pytest.mark.parametrize(
    ("cells", "texts"),
    [
        (["99", "98.5", "97.25"], ["99", "98.5", "97.25"]),
        (["99.00", "98.50", "97.25"], ["99.00", "98.50", "97.25"]),
        (["1000", "0.5", "-20"], ["1000", "0.5", "-20"]),
    ],
)
def test_samples_are_written_as_the_data_are(tmp_path, cells, texts):
    path = tmp_path / "a.csv"
    path.write_text("x,s\n" + "".join(f"{cell},{s}\n" for s in "abcdefgh" for cell in cells))
    data = load(str(path), split="order:80/10/10")
    encoding = encoding_from_json(json.loads(json.dumps(data.encoding.to_json())))
    assert [row[0] for row in encoding.decode(data.train.x[:3])] == texts
    assert data.encoding == load(pd.read_csv(path)).encoding
