"""A carried state: the number of a stream that is read as one, whatever the windows."""

import json

import numpy as np
import pytest
import torch

from chainrule import AutoregressiveModel, Batch, CategoricalHead, InputError, Recurrent, Transformer
from chainrule.cli.app import main
from chainrule.data import SequenceExamples, StreamExamples
from chainrule.evaluation.evaluate import evaluate
from chainrule.evaluation.streaming import StreamModel, side_by_side
from chainrule.verification.laws import randomised

STREAM = np.random.default_rng(0).integers(0, 5, 61).astype(np.uint8)


def model(lstm=False, depth=2):
    network = Recurrent(5, 12, width=8, depth=depth, lstm=lstm)
    return randomised(AutoregressiveModel(network, CategoricalHead(8, 5))).double()


@pytest.mark.parametrize("lstm", [False, True])
def test_parts_are_the_whole(lstm):
    net = model(lstm)
    whole = float(net.log_prob(Batch(torch.from_numpy(STREAM.astype(np.int64))[None])).detach())
    for window, batch_size in ((12, 1), (12, 3), (7, 256), (61, 1), (100, 1)):
        examples = side_by_side(StreamExamples(STREAM, window, 1))
        result = evaluate(StreamModel(net), examples, batch_size=batch_size)
        assert result.likelihood.elements == 61
        assert result.likelihood.total_nats == pytest.approx(whole, rel=1e-12)
    cut = evaluate(net, StreamExamples(STREAM, 12, 12)).likelihood.total_nats
    assert abs(cut - whole) > 1e-3


def test_the_future_changes_nothing():
    net = model()
    changed = STREAM.copy()
    changed[40:] = (changed[40:] + 1) % 5
    one, other = (
        StreamModel(net).element_log_prob(StreamExamples(stream, 61, 61).batch(np.arange(1)))
        for stream in (STREAM, changed)
    )
    assert torch.equal(one[0, :40], other[0, :40])
    assert not torch.equal(one[0, 40:], other[0, 40:])


def test_who_has_no_state_refuses():
    net = AutoregressiveModel(Transformer(5, 12, width=8, depth=1, heads=2), CategoricalHead(8, 5))
    with pytest.raises(InputError, match="only a recurrent network on sequences"):
        StreamModel(net)
    picture = AutoregressiveModel(Recurrent(5, (3, 4), width=8), CategoricalHead(8, 5))
    with pytest.raises(InputError, match="only a recurrent network on sequences"):
        StreamModel(picture)
    with pytest.raises(InputError, match="one long stream"):
        side_by_side(SequenceExamples.of([[1, 2], [3]], 4))


def test_the_protocol_says_so(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("the cat sat on the mat. " * 40)
    for network in ("recurrent", "transformer"):
        options = ["--window", "16", "--width", "8", "--depth", "1", "--steps", "2", "--evaluate-every", "2"]
        run = str(tmp_path / network)
        assert main(["fit", str(tmp_path / "a.txt"), "--network", network, "--out", run, *options]) == 0
    capsys.readouterr()
    results = []
    for more in ([], ["--carry"]):
        assert main(["evaluate", str(tmp_path / "recurrent"), "--json", *more]) == 0
        results.append(json.loads(capsys.readouterr().out))
    assert results[1]["protocol"]["context"] == "all of the stream before, state carried"
    assert results[1]["by_position"] is None
    assert results[0]["bytes"] == results[1]["bytes"]
    assert results[0]["total_nats"] != results[1]["total_nats"]
    for arguments, words in (
        (["recurrent", "--carry", "--window", "8"], "leave out --window"),
        (["transformer", "--carry"], "only a recurrent network"),
    ):
        assert main(["evaluate", str(tmp_path / arguments[0]), *arguments[1:]]) == 2
        assert words in capsys.readouterr().err
