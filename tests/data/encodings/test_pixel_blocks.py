"""Images in blocks: the same images in another order of the chain."""

import numpy as np
import pytest
import torch

from chainrule import AutoregressiveModel, BernoulliHead, InputError, PixelCNN
from chainrule.data import encoding_from_json, load
from chainrule.data.encodings.pixel_blocks import block_order
from chainrule.data.sources.image_folder import png_bytes
from chainrule.evaluation.evaluate import evaluate
from chainrule.runs.run import Run
from chainrule.verification.laws import randomised
from tests.support.command_line import run, run_json


@pytest.mark.parametrize(("shape", "side"), [((4, 6), 2), ((6, 6), 3), ((4, 4, 3), 2)])
def test_each_block_is_contiguous_in_the_chain(shape, side):
    order = block_order(shape, side)
    assert sorted(order.tolist()) == list(range(np.prod(shape)))
    channels = shape[2] if len(shape) == 3 else 1
    pixel = order // channels
    row, column = pixel // shape[1] // side, pixel % shape[1] // side
    block = (row * (shape[1] // side) + column).reshape(-1, side * side * channels)
    assert (block == np.arange(len(block))[:, None]).all()
    assert (order.reshape(-1, channels) % channels == np.arange(channels)).all()


def test_decoding_inverts_encoding():
    plain, blocks = load("digits"), load("digits", pixel_block=4)
    assert blocks.encoding.domain.shape == (2, 2, 16)
    assert blocks.digest() == plain.digest()
    rows = np.arange(5)
    x = blocks.test.batch(rows).x
    assert (blocks.encoding.decode(x.numpy()) == plain.encoding.decode(plain.test.batch(rows).x.numpy())).all()
    again = encoding_from_json(blocks.encoding.to_json())
    assert again == blocks.encoding
    assert torch.equal(again.encode("digits").batch(rows).x, x)
    assert (blocks.encoding.in_raster(x[0].numpy()) == plain.test.batch(rows).x[0].numpy()).all()


def test_context_and_duplicates_are_those_of_the_images():
    plain, blocks = (load("digits", given="label", **more) for more in ({}, {"pixel_block": 2}))
    assert (blocks.test.context == plain.test.context).all()
    assert blocks.duplicates() == plain.duplicates() == (0, 447)


def test_bits_are_drawn_as_for_the_images(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (40, 4, 4), dtype=np.uint8)
    np.savez(tmp_path / "g.npz", train=grey[:20], valid=grey[20:30], test=grey[30:])
    plain, blocks = (load(str(tmp_path / "g.npz"), binarize="dynamic", **more) for more in ({}, {"pixel_block": 2}))
    for part in ("train", "test"):
        for epoch in (0, 3):
            one, other = (data.split(part).epoch(7, epoch).batch(np.arange(10)).x for data in (plain, blocks))
            assert torch.equal(one[:, block_order((4, 4), 2)], other)


def test_the_likelihood_sums_to_one_over_images():
    """Summed over all images, in whatever order they are read."""
    model = randomised(AutoregressiveModel(PixelCNN(2, (1, 2, 4), width=8, depth=1), BernoulliHead(8)))
    images = np.array([[(n >> d) & 1 for d in range(8)] for n in range(256)]).reshape(256, 2, 4).astype(np.uint8)
    examples = load({"train": images, "valid": images, "test": images}, pixel_block=2).test
    assert examples.batch(np.arange(1)).x.shape == (1, 8)
    assert np.exp(evaluate(model, examples).nats).sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("side", [0, 3, -2])
def test_a_side_that_does_not_divide_the_image_is_refused(side):
    with pytest.raises(InputError, match="blocks of"):
        load("digits", pixel_block=side)


def test_data_that_are_not_images_are_refused(tmp_path):
    np.save(tmp_path / "rows.npy", np.random.default_rng(0).integers(0, 7, (300, 4)))
    (tmp_path / "t.txt").write_text("some words\n" * 50)
    for name in ("rows.npy", "t.txt"):
        with pytest.raises(InputError, match="pixel blocks need images"):
            load(str(tmp_path / name), pixel_block=2)


@pytest.mark.slow
def test_the_command_line(tmp_path, capsys):
    folder = tmp_path / "images"
    folder.mkdir()
    for n, image in enumerate(np.random.default_rng(0).integers(0, 256, (30, 4, 4), dtype=np.uint8)):
        (folder / f"{n:02d}.png").write_bytes(png_bytes(image))
    size = ("--width", "8", "--depth", "1", "--steps", "3", "--levels", "4")
    for name, more in (("plain", ()), ("blocks", ("--pixel-block", "2"))):
        run_json(capsys, "fit", folder, *size, *more, "--out", tmp_path / name)
    assert run_json(capsys, "verify", tmp_path / "blocks", "--quick")["passed"]
    compared = run_json(capsys, "compare", tmp_path / "plain", tmp_path / "blocks")
    assert compared["comparisons"][0]["examples"] > 0
    assert run(capsys, "report", tmp_path / "blocks")[0] == 0
    assert run(capsys, "sample", tmp_path / "blocks", "-n", 2, "--out", tmp_path / "drawn")[0] == 0
    assert len(list((tmp_path / "drawn").glob("*.png"))) == 2
    completed = ("sample", tmp_path / "blocks", "-n", 2, "--prefix", "test:0.5", "--out", tmp_path / "c.npy")
    assert run(capsys, *completed)[0] == 0
    data = load(str(folder), levels=4, pixel_block=2)
    seen = data.encoding.decode(data.test.batch(np.arange(2)).x.numpy())
    assert (np.load(tmp_path / "c.npy")[:, :2] == seen[:, :2]).all()  # the upper half


@pytest.mark.slow
def test_many_binary_images_are_read_in_pixel_blocks_by_default(tmp_path, capsys, monkeypatch):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).integers(0, 2, (60, 4, 6)))
    monkeypatch.setattr("chainrule.config.defaults.PIXEL_BLOCKS", (30, 4, {"width": 8}))
    arguments = ("fit", tmp_path / "x.npy", "--depth", "1", "--steps", "2")
    run_json(capsys, *arguments, "--out", tmp_path / "two")
    config = Run.open(tmp_path / "two").config
    assert (config["data"]["options"]["pixel_block"], config["model"]["network"]["width"]) == (2, 8)
    monkeypatch.setattr("chainrule.config.defaults.PIXEL_BLOCKS", (10**9, 4, {"width": 8}))  # what was chosen stays
    (tmp_path / "two" / "report.json").unlink()
    run_json(capsys, "fit", "--resume", "--out", tmp_path / "two")
    assert run_json(capsys, "evaluate", tmp_path / "two")["examples"] > 0
    monkeypatch.setattr("chainrule.config.defaults.PIXEL_BLOCKS", (30, 4, {"width": 8}))
    for name, more in (
        ("one", ("--pixel-block", "1")),
        ("other", ("--network", "causal_conv")),
        ("orders", ("--network", "made", "--orders", "2")),
    ):
        run_json(capsys, *arguments, *more, "--out", tmp_path / name)
        assert Run.open(tmp_path / name).encoding().domain.shape == (4, 6)
    run_json(capsys, *arguments, "--orders", "2", "--out", tmp_path / "scans")
    assert Run.open(tmp_path / "scans").encoding().domain.shape == (2, 3, 4)
