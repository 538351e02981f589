"""What fit does unasked, by the kind of data, how much there is of it, and the time."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from chainrule.config.default_experts import default_experts, default_quick
from chainrule.config.defaults import Amount, default_members, default_pixel_block, default_spec
from chainrule.config.registry import NETWORKS, build_model
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.data.examples.sequences import SequenceExamples
from chainrule.domain import Column, Domain
from chainrule.errors import InputError
from chainrule.runs.specification import members_of, specification

BITS, PICTURE = Domain((12,), 2), Domain((4, 4), 2)


def data(domain, examples, kind="array"):
    group = "text" if kind in ("text", "documents") else "image" if len(domain.shape) > 1 else "row"
    encoding = SimpleNamespace(domain=domain, kind=kind, group=group, pixel_block=1, context_options={})
    return SimpleNamespace(encoding=encoding, train=ArrayExamples(np.zeros((examples, 1), dtype=np.uint8)))


@pytest.mark.parametrize(("examples", "dropout"), [(1999, 0.7), (2000, 0.5), (10_000, 0.25), (100_000, 0.0)])
def test_more_rows_less_dropout(examples, dropout):
    spec, _ = specification({}, data(BITS, examples))
    assert (spec["network"]["name"], spec["network"]["dropout"]) == ("nade", dropout)


@pytest.mark.parametrize(("columns", "unusual", "name"), [(100, 10, "sparse_nade"), (100, 11, "nade"), (99, 0, "nade")])
def test_wide_rows_in_which_little_is_unusual(columns, unusual, name):
    """Elements of a column whose usual symbol is 1 are unusual where they are 0."""
    rows = data(Domain((columns,), 2), 0)
    x = np.ones((40, columns), dtype=np.uint8)
    for n, row in enumerate(x):
        row[(np.arange(unusual) * 15 + n) % columns] = 0
    rows.train = ArrayExamples(x)
    assert specification({}, rows)[0]["network"]["name"] == name
    assert specification({"network": "made"}, rows)[0]["network"]["name"] == "made"


def test_many_images_need_no_dropout_and_are_trained_by_muon():
    few, many = (specification({}, data(PICTURE, n)) for n in (1000, 50_000))
    assert few[0]["network"]["dropout"] > many[0]["network"]["dropout"] == 0
    assert few[1].batch_size > many[1].batch_size == 32
    assert (few[1].optimizer, many[1].optimizer) == ("adamw", "muon")
    assert (few[1].precision, many[1].precision) == ("float32", "auto")


@pytest.mark.parametrize(("length", "batch"), [(1024, 4), (256, 16), (16, 256), (5000, 1)])
def test_a_step_on_text_takes_as_many_elements_whatever_their_length(length, batch):
    assert specification({}, data(Domain((length,), 9), 100, "text"))[1].batch_size == batch
    assert specification({"batch_size": 3}, data(Domain((length,), 9), 100, "text"))[1].batch_size == 3


def test_examples_of_any_lengths_count_by_their_mean():
    short = data(Domain((512,), 9, variable_length=True), 0, "documents")
    short.train = SequenceExamples.of([np.zeros(20, dtype=np.int64), np.zeros(44, dtype=np.int64)], 512, 256)
    assert specification({}, short)[1].batch_size == 128


def test_short_texts_have_a_narrow_network_and_four_of_them():
    names = data(Domain((16,), 257, variable_length=True, end=256), 0, "documents")
    names.train = SequenceExamples.of([np.zeros(n, dtype=np.int64) for n in (3, 7, 16)], 16)
    for minutes in (8.0, 200.0):
        assert members_of({"minutes": minutes}, names) == 4
        network = specification({"minutes": minutes}, names)[0]["network"]
        assert (network["width"], network["depth"]) == (64, 4)
    assert members_of({}, names) == 1
    long = data(Domain((64,), 256, variable_length=True), 0, "documents")
    long.train = SequenceExamples.of([np.zeros(40, dtype=np.int64)] * 3, 64)
    assert members_of({"minutes": 8.0}, long) == 1
    assert specification({}, long)[0]["network"]["width"] == 128


def test_a_text_with_minutes_has_n_grams_that_a_network_corrects():
    book = data(Domain((1024,), 256), 100, "text")
    found = [specification({"minutes": minutes}, book)[0]["network"] for minutes in (1.0, 5.0, 30.0)]
    assert {network["name"] for network in found} == {"corrected_ngram"}
    assert [(network["width"], network["depth"]) for network in found] == [(128, 2), (128, 4), (192, 5)]
    for options in ({}, {"minutes": 5.0, "network": "transformer"}, {"minutes": 5.0, "head": "categorical"}):
        assert specification(options, book)[0]["network"]["name"] == "transformer"
    tokens = data(Domain((1024,), 50_000), 100, "text")
    given = data(Domain((1024,), 256), 100, "text")
    given.encoding.context_options = {"num_classes": 3}
    for other in (tokens, given):
        assert specification({"minutes": 5.0}, other)[0]["network"]["name"] == "transformer"


def test_many_images_of_bits_are_in_blocks():
    assert default_pixel_block(Domain((28, 28), 2), "image", 10_000) == 2
    assert default_pixel_block(Domain((28, 28), 2), "image", 10_000) == 2
    for shape, symbols, examples in (
        ((28, 28), 17, 50_000),
        ((28, 28), 2, 9999),
        ((27, 28), 2, 50_000),
        ((8, 8), 2, 50_000),
    ):
        assert default_pixel_block(Domain(shape, symbols), "image", examples) == 1
    assert default_pixel_block(Domain((784,), 2), "row", 50_000) == 1


def test_rows_of_numbers():
    columns = (Column(None, resolution=0.1), Column(4))
    assert (
        default_spec(Domain((2,), None, columns=columns), "row", amount=Amount(examples=300))["network"]["dropout"]
        == 0.2
    )
    assert default_spec(Domain((2,), 4, columns=(Column(3), Column(4))), "row")["network"]["dropout"] == 0.7


def test_another_network_has_what_it_knows_of_the_defaults():
    network = default_spec(BITS, "row", "transformer", amount=Amount(examples=50))["network"]
    assert network["positions"]
    assert network["dropout"] == 0.7


@pytest.mark.parametrize(
    "name", [name for name in NETWORKS if name not in ("huggingface", "joint_gaussians", "kernels", "pixelcnn")]
)
@pytest.mark.parametrize(("domain", "kind"), [(BITS, "row"), (PICTURE, "image"), (Domain((12,), 5), "text")])
def test_every_network_can_be_built_for_every_kind(name, domain, kind):
    model = build_model(default_spec(domain, kind, name, amount=Amount(examples=50)), domain)
    assert model.log_prob(torch.zeros(2, domain.length, dtype=torch.long)).shape == (2,)


@pytest.mark.parametrize(("name", "said"), [("joint_gaussians", "joint Gaussians"), ("kernels", "kernels")])
def test_joint_gaussians_and_kernels_are_for_tables(name, said):
    with pytest.raises(InputError, match=f"{said} are for the rows of a table"):
        build_model(default_spec(BITS, "row", name), BITS)


def test_tables_of_numbers_have_experts_and_a_blend():
    rows = Domain((2,), None, columns=(Column(3), Column(None, resolution=1.0)))
    assert default_experts("row", rows, 5000) == ("joint_gaussians", "kernels", "boosted_trees")
    assert default_experts("row", rows, 5001) == ("joint_gaussians", "boosted_trees")
    assert default_experts("row", BITS, 100) == ("chow_liu", "boosted_trees")
    assert default_experts("row", Domain((5000,), 2), 100) == ("boosted_trees",)
    assert default_experts("text", Domain((5,), 2), 100) == ()
    assert default_spec(rows, "row")["head"]["numbers"] == "blend"
    assert default_spec(rows, "row", "boosted_trees")["head"]["numbers"] == "mixtures"


def test_what_stands_beside_a_network_where_time_is_short():
    assert default_quick("image", Domain((64, 64), 2), False) is None
    assert default_quick("image", Domain((8, 8, 3), 256), False) is None
    assert default_quick("text", Domain((9,), 50_000), True) is None
    assert default_quick("row", BITS, False) is None


def test_what_is_given_is_taken():
    spec, settings = specification({"dropout": 0.1, "steps": 7, "width": 8}, data(BITS, 100))
    assert (spec["network"]["dropout"], spec["network"]["width"], settings.steps) == (0.1, 8, 7)
    assert settings.bounded(100) == settings


def test_passes_bound_the_steps():
    _, settings = specification({}, data(BITS, 1000))
    plain = settings.bounded(1000)
    assert plain.steps == 40 * 1000 / 50
    assert plain.evaluate_every == plain.steps / 20
    assert plain.epochs is None
    assert settings.bounded(10**9).steps == settings.steps


def test_members_share_a_budget():
    assert members_of({"minutes": 10.0}, data(BITS, 100)) == default_members("row", 10.0) == 4
    assert members_of({"minutes": 10.0, "members": 1}, data(BITS, 100)) == 1
    assert members_of({}, data(BITS, 100)) == members_of({"minutes": 10.0}, data(PICTURE, 100)) == 1
