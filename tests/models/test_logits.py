"""Models of other hands: the number of `evaluate` is the number by hand."""

import numpy as np
import pytest
import torch

from chainrule.batch import Batch
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.errors import InputError
from chainrule.evaluation.evaluate import evaluate
from chainrule.models.logits import LogitsModel, NextToken
from chainrule.verification.certificate.verify import verify


def test_a_tiny_gpt2_scores_as_by_hand():
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=11, n_positions=8, n_embd=16, n_layer=2, n_head=2, bos_token_id=10, eos_token_id=10
    )
    gpt2 = transformers.GPT2LMHeadModel(config).eval()
    model = LogitsModel(NextToken(gpt2, start=10))
    x = np.random.default_rng(0).integers(0, 11, (9, 8))
    result = evaluate(model, ArrayExamples(x), batch_size=4)
    with torch.no_grad():
        started = np.concatenate([np.full((9, 1), 10), x[:, :-1]], 1)
        logits = gpt2(torch.from_numpy(started)).logits.double().numpy()
    normaliser = np.log(np.exp(logits).sum(-1))
    by_hand = np.take_along_axis(logits, x[..., None], -1)[..., 0] - normaliser
    assert result.nats == pytest.approx(by_hand.sum(1), rel=1e-6)
    assert result.likelihood.total_nats == pytest.approx(by_hand.sum(), rel=1e-6)
    certificate = verify(model, num_symbols=11, length=8)
    assert certificate.passed, str(certificate)


def test_a_predictor_of_the_next_element_is_shifted():
    table = torch.nn.Embedding(3, 3)
    model = LogitsModel(NextToken(table, start=2))
    x = torch.tensor([[0, 1, 1]])
    expected = table.weight.log_softmax(-1)
    found = model.element_log_prob(Batch(x))
    assert torch.allclose(found, torch.stack([expected[2, 0], expected[0, 1], expected[1, 1]])[None])
    assert verify(model, num_symbols=3, length=4).passed
    assert "causality.suffix.evaluation" in verify(LogitsModel(table), num_symbols=3, length=4).failed


def test_padding_is_not_read():
    model = LogitsModel(lambda x: torch.zeros(*x.shape, 3))
    batch = Batch(torch.tensor([[0, 99]]), torch.tensor([[True, False]]))
    assert model(batch).item() == pytest.approx(-np.log(3))


def test_a_wrong_shape_is_refused():
    with pytest.raises(InputError, match="expected logits"):
        LogitsModel(lambda x: torch.zeros(len(x), 3)).logits(torch.zeros(2, 3, dtype=torch.long))
