import numpy as np
import pytest
import torch

from chainrule import AutoregressiveModel, InputError
from chainrule.data import ArrayExamples
from chainrule.evaluation.evaluate import evaluate
from chainrule.heads import LogitsHead
from chainrule.networks import HuggingFace

transformers = pytest.importorskip("transformers", reason="the extra `hf` is not installed")


@pytest.fixture
def gpt2():
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=11, n_positions=16, n_embd=16, n_layer=2, n_head=2, bos_token_id=9, eos_token_id=10
    )
    return transformers.GPT2LMHeadModel(config).eval()


def test_evaluate_is_the_sum_over_its_logits_by_hand(gpt2):
    x = np.random.default_rng(0).integers(0, 11, (6, 12))
    model = AutoregressiveModel(HuggingFace(gpt2), LogitsHead(11))
    by_hand = []
    with torch.no_grad():
        logits = gpt2.double()(torch.from_numpy(np.column_stack([np.full(6, 9), x]))).logits.numpy()
    for n in range(6):
        log_p = logits[n, :12] - np.log(np.exp(logits[n, :12]).sum(-1, keepdims=True))
        by_hand.append(log_p[np.arange(12), x[n]].sum())
    gpt2.float()
    result = evaluate(model, ArrayExamples(x))
    assert result.nats == pytest.approx(by_hand, rel=1e-5)
    assert result.likelihood.nats_per_example.value == pytest.approx(-np.mean(by_hand), rel=1e-6)


def test_a_local_directory(gpt2, tmp_path):
    gpt2.save_pretrained(tmp_path / "model")
    network = HuggingFace.from_directory(tmp_path / "model")
    x = torch.randint(11, (2, 8))
    assert torch.allclose(network.eval()(x), HuggingFace(gpt2)(x), atol=1e-6)
    assert network.length == 16
    with pytest.raises(InputError, match="16 positions"):
        HuggingFace(gpt2, length=17)
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(InputError):
            HuggingFace.from_directory(path)


def test_features_have_every_layer(gpt2):
    model = AutoregressiveModel(HuggingFace(gpt2), LogitsHead(11))
    assert model.features(torch.randint(11, (2, 8)), 1).shape == (2, 8, 16)


def test_the_start_is_needed(gpt2):
    gpt2.config.bos_token_id = gpt2.config.eos_token_id = None
    with pytest.raises(InputError, match="start="):
        HuggingFace(gpt2)
    assert HuggingFace(gpt2, start=3).start == 3
