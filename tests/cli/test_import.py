"""Language models of Hugging Face from a directory: their own tokens, their own end of a text, every command."""

import json
import shutil

import numpy as np
import pytest
import torch

from chainrule import InputError
from chainrule.cli.app import main
from chainrule.data import load
from chainrule.data.alphabets.tokens import Tokens
from chainrule.runs.run import Run
from tests.support.command_line import run_json

transformers = pytest.importorskip("transformers", reason="the extra `hf` is not installed")
tokenizers = pytest.importorskip("tokenizers", reason="the extra `text` is not installed")

NAMES = [a + b for a in ("anna", "bert", "carl", "dora", "emil") for b in ("", "lie", "son", "mann", "e", "ine")]
START, END, SIZE = 1, 2, 264  # two symbols more than the tokenizer has


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with a text, a GPT-2 of random weights and its tokenizer."""
    place = tmp_path_factory.mktemp("import")
    (place / "names.txt").write_text("\n".join(NAMES) + "\n")
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=SIZE, n_positions=24, n_embd=16, n_layer=1, n_head=2, bos_token_id=START, eos_token_id=END
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(place / "gpt2")
    written = place / "gpt2" / "config.json"  # released ones say more than the library asks for
    more = {"n_ctx": 24, "task_specific_params": {"text-generation": {"do_sample": True, "max_length": 50}}}
    written.write_text(json.dumps(json.loads(written.read_text()) | more))
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=SIZE - 2,
        special_tokens=["<pad>", "<s>", "<|endoftext|>"],
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(NAMES, trainer)
    tokenizer.save(str(place / "gpt2" / "tokenizer.json"))
    code = main(["import", str(place / "gpt2"), str(place / "names.txt"), "--out", str(place / "run"), "--json"])
    assert code == 0
    return place


@pytest.mark.slow
def test_the_tokens_of_a_model_have_its_end(place):
    tokens = Tokens.of_model(place / "gpt2")
    assert (tokens.end, tokens.size, len(tokens.byte_lengths)) == (END, SIZE, SIZE)
    assert tokens.byte_lengths[-2:].tolist() == [0, 0]
    assert tokens.decode(np.array([SIZE - 1])) == b""
    assert Tokens.from_json(tokens.to_json()) == tokens
    assert Tokens.from_json(Tokens.read(place / "gpt2" / "tokenizer.json").to_json()).end is None


def test_documents_end_with_the_models_own_end(place):
    data = load(str(place / "names.txt"), symbols=str(place / "gpt2"))
    assert data.encoding.domain.end == END
    assert data.encoding.domain.num_symbols == SIZE
    batch = data.test.batch(np.arange(len(data.test)))
    for x, mask in zip(batch.x, batch.mask, strict=True):
        assert x[mask][-1] == END
        assert (x[mask][:-1] != END).all()
    assert int(batch.bytes.sum()) == sum(len(name) + 1 for name in data.encoding.decode(batch.x.numpy()))
    given = load(str(place / "names.txt"), symbols=str(place / "gpt2"), end="given").encoding.domain
    assert (given.end, given.num_symbols) == (None, SIZE)


def test_a_text_that_holds_the_end_is_refused(place, tmp_path):
    (tmp_path / "t.txt").write_text("anna\nbert<|endoftext|>carl\n" * 20)
    with pytest.raises(InputError, match=r"endoftext.*as element [0-9].*--documents"):
        load(str(tmp_path / "t.txt"), symbols=str(place / "gpt2"), documents="line")
    (tmp_path / "t.txt").write_text("<|endoftext|>".join(NAMES))
    divided = load(str(tmp_path / "t.txt"), symbols=str(place / "gpt2"), documents="<|endoftext|>")
    assert divided.encoding.byte_lengths[END] == len("<|endoftext|>")


def by_hand(place, name, end=True):
    """ln p of a name from the logits of the model as it lies in the directory."""
    model = transformers.GPT2LMHeadModel.from_pretrained(place / "gpt2").double().eval()
    tokens = Tokens.of_model(place / "gpt2").encode(name, "name").tolist()
    ids = torch.tensor([START, *tokens, *[END] * end])
    with torch.no_grad():
        log_p = model(ids[None, :-1]).logits[0].log_softmax(-1)
    return float(log_p[torch.arange(len(ids) - 1), ids[1:]].sum())


def test_the_figure_is_the_sum_over_the_models_logits(place):
    run = Run.open(place / "run")
    data, report = run.data(), json.loads((place / "run" / "report.json").read_text())
    names = data.encoding.decode(data.test.batch(np.arange(len(data.test))).x.numpy())
    total = sum(by_hand(place, name) for name in names)
    assert report["results"]["test"]["total_nats"] == pytest.approx(total, rel=1e-6)
    assert json.loads((place / "run" / "certificate.json").read_text())["passed"]


def test_lengths_that_are_given_are_not_scored(place, tmp_path, capsys):
    arguments = [str(place / "gpt2"), str(place / "names.txt"), "--end", "given", "--out", str(tmp_path / "run")]
    assert main(["import", *arguments]) == 0
    (tmp_path / "one.txt").write_text("anna\n")
    result = run_json(capsys, "evaluate", tmp_path / "run", tmp_path / "one.txt")
    assert result["total_nats"] == pytest.approx(by_hand(place, b"anna", end=False), rel=1e-5)
    assert Run.open(tmp_path / "run").encoding().domain.end is None


def test_a_run_needs_the_directory_no_more(place, tmp_path, capsys):
    shutil.copytree(place / "gpt2", tmp_path / "model")
    assert main(["import", str(tmp_path / "model"), str(place / "names.txt"), "--out", str(tmp_path / "run")]) == 0
    shutil.rmtree(tmp_path / "model")
    one, other = (run_json(capsys, "evaluate", run)["total_nats"] for run in (place / "run", tmp_path / "run"))
    assert one == other


@pytest.mark.slow
def test_every_command_takes_the_run(place, tmp_path, capsys):
    run = str(place / "run")
    assert run_json(capsys, "verify", run)["passed"]
    nats = run_json(capsys, "evaluate", run)["nats_per_example"]
    assert nats == pytest.approx(
        json.loads((place / "run" / "report.json").read_text())["results"]["test"]["nats_per_example"]
    )
    assert run_json(capsys, "evaluate", run, place / "names.txt")["examples"] == len(NAMES)
    text = tmp_path / "two.txt"
    text.write_text("anna\nbertson\n")
    assert main(["score", run, str(text), "--out", str(tmp_path / "s.csv")]) == 0
    scored = np.loadtxt(tmp_path / "s.csv", delimiter=",", skiprows=1, usecols=-1)
    assert scored == pytest.approx([by_hand(place, name) for name in (b"anna", b"bertson")], rel=1e-5)
    text.write_text("anna\nbert<|endoftext|>son\n")
    assert main(["score", run, str(text)]) == 2
    assert "document 2: contains the end of a text" in capsys.readouterr().err
    assert main(["sample", run, "-n", "4", "--prefix", "an", "--out", str(tmp_path / "s.txt")]) == 0
    assert (tmp_path / "s.txt").read_bytes().startswith(b"an")
    fitted = ["--symbols", str(place / "gpt2"), "--steps", "3", "--width", "8", "--depth", "1"]
    assert main(["fit", str(place / "names.txt"), *fitted, "--out", str(tmp_path / "own")]) == 0
    result = run_json(capsys, "compare", run, str(tmp_path / "own"))
    assert result["comparisons"][0]["examples"] == len(Run.open(place / "run").data().test)
    for command in (["report", run, "--out", str(tmp_path / "r.html")], ["info", run]):
        assert main(command) == 0


def test_draws_end_and_have_their_likelihood(place):
    run = Run.open(place / "run")
    model, domain = run.model(), run.encoding().domain
    with torch.no_grad():
        toward = model.network.model.lm_head.weight[END]  # ends soon: that logit is 4 higher
        model.network.model.transformer.ln_f.bias.copy_(4 * toward / toward.square().sum())
    sample = model.sample(64, seed=0, end=domain.end, length=domain.length)
    assert (sample.x == END).any(1).float().mean() > 0.5
    for x, mask, log_prob in zip(sample.x, sample.mask, sample.log_prob, strict=True):
        text = x[mask]
        assert (text[:-1] != END).all()
        assert model.log_prob(text[None]).item() == pytest.approx(float(log_prob), abs=1e-4)


def test_a_network_of_its_architecture_is_trained_anew(place, tmp_path, capsys):
    config = json.loads((place / "gpt2" / "config.json").read_text())
    table = "\n".join(f"{name} = {json.dumps(config[name])}" for name in ("model_type", "n_embd", "n_layer", "n_head"))
    size = f"vocab_size = {SIZE}\nn_positions = 24\nbos_token_id = 1\neos_token_id = 2"
    (tmp_path / "m.toml").write_text(f'steps = 3\n[network]\nname = "huggingface"\n[network.config]\n{table}\n{size}\n')
    arguments = [str(place / "names.txt"), "--symbols", str(place / "gpt2"), "--config", str(tmp_path / "m.toml")]
    report = run_json(capsys, "fit", *arguments, "--out", str(tmp_path / "run"))
    assert report["steps"] == 3
    assert run_json(capsys, "verify", str(tmp_path / "run"), "--quick")["passed"]


def test_what_cannot_be_imported(place, tmp_path, capsys):
    def error(*arguments):
        assert main(["import", *map(str, arguments), "--out", str(tmp_path / "none")]) == 2
        assert not (tmp_path / "none").exists()
        return capsys.readouterr().err

    gpt2, names = place / "gpt2", place / "names.txt"
    assert "no such directory" in error(tmp_path / "nowhere", names)
    assert "'symbols' does not apply" in error(gpt2, "digits")
    assert "take windows of at most 24" in error(gpt2, names, "--window", 25)
    without = tmp_path / "without"
    shutil.copytree(gpt2, without)
    config = json.loads((gpt2 / "config.json").read_text())
    (without / "config.json").write_text(json.dumps(config | {"eos_token_id": None}))
    assert "--end given" in error(without, names)
    (without / "config.json").write_text(json.dumps(config | {"eos_token_id": [END, 3]}))
    assert Tokens.of_model(without).end == END
    (without / "tokenizer.json").unlink()
    assert "holds no tokenizer.json" in error(without, names)
    (without / "config.json").write_text("{}")
    with pytest.raises(InputError, match="how many symbols"):
        Tokens.of_model(without)


def test_weights_that_are_lost_or_damaged(place, tmp_path, capsys):
    def error():
        assert main(["import", str(broken), str(place / "names.txt"), "--out", str(tmp_path / "none")]) == 2
        assert not (tmp_path / "none").exists()
        return capsys.readouterr().err

    broken = tmp_path / "broken"
    shutil.copytree(place / "gpt2", broken)
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps(config | {"n_layer": 2}))
    assert "lacks 12 of the weights, transformer.h.1" in error()
    (broken / "config.json").write_text(json.dumps(config))
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    assert "can be read" in error()


@pytest.mark.slow
def test_a_model_that_sees_the_future_is_no_run(place, tmp_path, capsys):
    config = transformers.BertConfig(
        vocab_size=SIZE,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        bos_token_id=START,
        eos_token_id=END,
        pad_token_id=0,
    )
    transformers.BertLMHeadModel(config).save_pretrained(tmp_path / "bert")
    shutil.copy(place / "gpt2" / "tokenizer.json", tmp_path / "bert")
    arguments = [str(tmp_path / "bert"), str(place / "names.txt"), "--out", str(tmp_path / "run")]
    assert main(["import", *arguments]) == 2
    assert "check causality" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_there_is_no_training_to_go_on_with(place, capsys):
    assert main(["fit", "--resume", "--out", str(place / "run")]) == 2
    assert "was imported from" in capsys.readouterr().err


def test_the_architecture_is_asked_for(place, tmp_path, capsys):
    assert main(["fit", str(place / "names.txt"), "--network", "huggingface", "--out", str(tmp_path / "none")]) == 2
    assert "chainrule import" in capsys.readouterr().err
