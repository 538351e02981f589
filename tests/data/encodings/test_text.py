"""Texts and sequences: what is read, what is counted, and back again."""

import gzip
import json
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import AutoregressiveModel, CategoricalHead, InputError, Transformer
from chainrule.data import FastaEncoding, SequenceExamples, encoding_from_json, load
from chainrule.data.alphabets.alphabet import Bytes, Characters
from chainrule.data.alphabets.tokens import Tokens
from chainrule.data.examples.packing import PackedExamples
from chainrule.data.sources.stored_text import stored_stream
from chainrule.evaluation.evaluate import evaluate
from chainrule.training.batches import batches, by_length
from chainrule.verification.laws import randomised

PROSE = "The cat sat on the mät — and the rat, the fat rat, sat on the cat.\nWhy? Nobody knows.\n" * 40
TOKENS = Tokens.trained(PROSE, 300)


def again(encoding):
    """The encoding as a run directory keeps it."""
    copy = encoding_from_json(json.loads(json.dumps(encoding.to_json())))
    assert copy == encoding
    return copy


def everything(examples):
    return examples.batch(np.arange(len(examples)))


# --- alphabets ------------------------------------------------------------------------------------------------------


@given(st.binary(max_size=200))
def test_bytes_are_decoded_without_loss(raw):
    assert Bytes().decode(Bytes().encode(raw, "")) == raw


@given(st.text(max_size=200))
def test_every_alphabet_is_lossless_and_counts_bytes(text):
    raw = text.encode("utf-8", "surrogatepass")
    if any("\ud800" <= c <= "\udfff" for c in text):
        return
    for alphabet in (Bytes(), Characters("".join(sorted(set(text + "a")))), TOKENS):
        symbols = alphabet.encode(raw, "")
        assert alphabet.decode(symbols) == raw
        assert alphabet.byte_lengths[symbols].sum() == len(raw)


def test_a_tokenizer_that_loses_text_is_refused(tmp_path):
    import tokenizers

    lossy = tokenizers.Tokenizer(tokenizers.models.WordLevel({"the": 0, "cat": 1, "?": 2}, unk_token="?"))
    lossy.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    lossy.save(str(tmp_path / "t.json"))
    alphabet = Tokens.read(tmp_path / "t.json")
    with pytest.raises(InputError, match="does not give the text back"):
        alphabet.encode(b"the cat", "a text")


def test_tokenizer_files(tmp_path):
    (tmp_path / "t.json").write_text(TOKENS.specification)
    (tmp_path / "a.txt").write_text(PROSE)
    data = load(str(tmp_path / "a.txt"), symbols=str(tmp_path / "t.json"), window=16)
    assert again(data.encoding).raw(data.train).decode() in PROSE


@pytest.mark.parametrize("symbols", ["bytes", "characters", "bpe:280"])
def test_streams_keep_every_byte(tmp_path, symbols):
    (tmp_path / "a.txt").write_text(PROSE)
    data = load(str(tmp_path / "a.txt"), symbols=symbols, window=32)
    pieces = [again(data.encoding).raw(data.split(name)) for name in ("train", "valid", "test")]
    assert b"".join(pieces) == PROSE.encode()
    for name, piece in zip(("train", "valid", "test"), pieces, strict=True):
        assert int(everything(data.split(name)).bytes.sum()) == len(piece)
    assert load(str(tmp_path / "a.txt"), **data.options).digest() == data.digest()


def test_a_bpe_sees_the_training_split_only(tmp_path):
    for end in ("z" * 300, "q" * 300):
        (tmp_path / "a.txt").write_text(PROSE + end)
        data = load(str(tmp_path / "a.txt"), symbols="bpe:300")
        assert "zz" not in data.encoding.alphabet.specification
        assert "qq" not in data.encoding.alphabet.specification


# --- documents ------------------------------------------------------------------------------------------------------


words = st.text(alphabet="abcdé", min_size=1, max_size=12)


@pytest.mark.filterwarnings("ignore:.*are distinct:UserWarning")
@given(
    st.lists(words, min_size=40, max_size=60),
    st.sampled_from(["bytes", "characters"]),
    st.sampled_from(["scored", "given"]),
)
def test_documents_are_decoded_without_loss(tmp_path_factory, texts, symbols, end):
    home = tmp_path_factory.mktemp("documents")
    (home / "a.txt").write_text("\n".join(texts) + "\n")
    try:
        data = load(
            str(home / "a.txt"), documents="line", symbols=symbols, end=end, window=40, split="distinct:80/10/10"
        )
    except InputError as error:
        if "split is empty" not in str(error):
            raise
        return
    encoding = again(data.encoding)
    whole = encoding.encode(str(home / "a.txt"))
    batch = everything(whole)
    rows = [row[mask].tolist() for row, mask in zip(batch.x, batch.mask, strict=True)]
    raw = [encoding.decode(np.array([row]))[0] for row in rows]
    assert raw == [text.encode() for text in texts]
    assert int(batch.bytes.sum()) == sum(len(t.encode()) + (end == "scored") for t in texts)
    (home / "b.txt").write_bytes(encoding.write(raw))
    assert encoding.encode(str(home / "b.txt")).digest() == whole.digest()
    parts = [set(encoding.raw(data.split(name)).split(b"\n")) - {b""} for name in ("train", "valid", "test")]
    assert sum(map(len, parts)) == len(set.union(*parts))


def test_documents_are_lines_files_records_or_between_separators(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for n in range(80):
        (folder / f"{n:02}.md").write_text(f"# Title {n}\n\nSome text, number {n * n}.\n")
    assert len(load(str(folder), documents="file").encoding.encode(str(folder))) == 80
    assert load(str(folder)).encoding.kind == "text"
    assert b"".join(
        load(str(folder)).encoding.raw(load(str(folder)).split(s)) for s in ("train", "valid", "test")
    ) == b"".join(file.read_bytes() for file in sorted(folder.iterdir()))
    (tmp_path / "a.txt").write_text("<|end|>".join(f"a text of {n}\n" for n in range(50)))
    data = load(str(tmp_path / "a.txt"), documents="<|end|>")
    assert data.encoding.separator == b"<|end|>"
    assert len(data.encoding.encode(str(tmp_path / "a.txt"))) == 50
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"body": f"text {n}"}) for n in range(50)))
    data = load(str(tmp_path / "a.jsonl"), field="body")
    assert data.encoding.kind == "documents"
    drawn = [b"one", b"two"]
    (tmp_path / "b.jsonl").write_bytes(data.encoding.write(drawn))
    batch = everything(data.encoding.encode(str(tmp_path / "b.jsonl")))
    assert data.encoding.decode(batch.x.numpy()) == drawn


def test_one_string_per_line_is_recognised(tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(f"name{n}" for n in range(60)))
    (tmp_path / "prose.txt").write_text(PROSE)
    assert load(str(tmp_path / "names.txt")).encoding.kind == "documents"
    assert load(str(tmp_path / "names.txt"), documents="stream").encoding.kind == "text"
    assert load(str(tmp_path / "prose.txt")).encoding.kind == "text"


def test_names_count_letters_and_one_end_each(shared_data):
    source = shared_data / "names" / "names.txt"
    data = load(str(source), symbols="characters")
    names = source.read_text().split()
    examples = data.encoding.encode(str(source))
    assert len(examples) == len(names) == 32_033
    assert int(examples.example_lengths.sum()) == sum(map(len, names)) + len(names)
    assert int(everything(examples).bytes.sum()) == source.stat().st_size + 1  # the file has no last line end


# --- the number does not depend on how the examples are laid out ----------------------------------------------------


def test_every_element_is_scored_once_through_any_windows():
    rng = np.random.default_rng(0)
    sequences = [rng.integers(0, 5, size) for size in (1, 7, 30, 12, 3, 25)]
    whole = SequenceExamples.of(sequences, window=40, end=5)
    for window, stride in ((40, 40), (8, 3), (5, 5), (2, 1)):
        examples = SequenceExamples.of(sequences, window, stride, end=5)
        batch = everything(examples)
        scored = [batch.x[examples.owner == n][batch.mask[examples.owner == n]].tolist() for n in range(6)]
        assert scored == [[*sequence.tolist(), 5] for sequence in sequences]
        for epoch in range(4):
            now = examples.epoch(1, epoch)
            batch = now.batch(np.arange(len(now)))
            assert int(batch.mask.sum()) == int(everything(whole).mask.sum())


def test_the_sum_is_that_of_any_batch_size_and_bucket():
    rng = np.random.default_rng(0)
    examples = SequenceExamples.of([rng.integers(0, 5, size) for size in rng.integers(1, 12, 50)], window=12, end=5)
    model = randomised(AutoregressiveModel(Transformer(6, 12, width=8, depth=1, heads=2), CategoricalHead(8, 6)))
    totals = [evaluate(model, examples, batch_size=size).likelihood.total_nats for size in (1, 7, 64)]
    epoch = batches(examples, 8, seed=3)
    totals.append(sum(float(model.log_prob(next(epoch)[1]).detach().double().sum()) for _ in range(7)))
    assert totals == pytest.approx([totals[0]] * 4, rel=1e-6)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:of .* are distinct:UserWarning")
def test_the_score_of_tinyshakespeare_does_not_depend_on_batches(shared_data):
    source = shared_data / "tinyshakespeare" / "input.txt"
    stream, lines = load(source, window=64), load([line for line in source.read_bytes().splitlines() if line])
    assert (
        max(map(len, lines.test.sequences())) <= lines.encoding.window < 100
    )  # so no line is read through two windows
    torch.manual_seed(0)
    model = AutoregressiveModel(Transformer(257, 100, width=8, depth=1, heads=2), CategoricalHead(8, 257)).eval()
    for data in (stream, lines):
        nats = [evaluate(model, data.test, batch_size=size).likelihood.total_nats for size in (7, 64, 500)]
        assert nats == pytest.approx([nats[0]] * 3, rel=1e-6)
    buckets, packed = batches(lines.test, 32, seed=3), PackedExamples.of(lines.test, 512, seed=0, epoch=0)
    with torch.no_grad():
        by_length = [next(buckets)[1] for _ in range(-(-len(lines.test) // 32))]
        side_by_side = [packed.batch(np.array([row])) for row in range(len(packed))]
        for layout in (by_length, side_by_side):
            assert sum(float(model.log_prob(batch).double().sum()) for batch in layout) == pytest.approx(
                nats[0], rel=1e-6
            )


def test_long_examples_add_up_their_windows():
    rng = np.random.default_rng(0)
    sequences = [rng.integers(0, 5, size) for size in (30, 3, 17)]
    model = randomised(AutoregressiveModel(Transformer(6, 40, width=8, depth=1, heads=2), CategoricalHead(8, 6)))
    examples = SequenceExamples.of(sequences, 8, 4, end=5)
    result = evaluate(model, examples, batch_size=3)
    assert result.likelihood.examples == 3
    assert result.likelihood.elements == 53
    rows = everything(examples)
    log_prob = model.log_prob(rows).detach().double().numpy()
    assert result.nats == pytest.approx([log_prob[examples.owner == n].sum() for n in range(3)], rel=1e-6)
    whole = evaluate(model, SequenceExamples.of(sequences, 40, end=5))
    assert whole.nats[1] == pytest.approx(result.nats[1], rel=1e-6)


def test_batches_by_length_hold_every_example_once_with_little_padding():
    lengths = np.random.default_rng(0).integers(1, 100, 1000)
    orders = [by_length(np.arange(1000), lengths, 16, np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert (orders[0] == orders[1]).all()
    assert (orders[0] != orders[2]).any()
    assert sorted(orders[0]) == list(range(1000))
    padded = sum(lengths[orders[0][start : start + 16]].max() * 16 for start in range(0, 992, 16))
    assert padded < 1.1 * lengths.sum()


# --- sequences ------------------------------------------------------------------------------------------------------


pieces = st.lists(
    st.lists(st.sets(st.integers(60, 66), max_size=3).map(sorted), min_size=1, max_size=9), min_size=1, max_size=5
)


@given(pieces, pieces, pieces)
def test_sets_are_decoded_without_loss(tmp_path_factory, train, valid, test):
    parts = (train, valid, test)
    home = tmp_path_factory.mktemp("sets")
    for part in parts:
        part.append([[60], [61, 66], []])  # sets of several sizes, so that it is known what they are
    (home / "a.json").write_text(json.dumps(dict(zip(("train", "valid", "test"), parts, strict=True))))
    data = load(str(home / "a.json"), window=10)
    encoding = again(data.encoding)
    assert encoding.kind == "sets"
    batch = everything(data.test)
    raw = [encoding.decode(batch.x[n : n + 1, : int(batch.elements[n])].numpy())[0] for n in range(len(batch))]
    assert raw == parts[2]
    assert batch.dims.tolist() == [len(piece) for piece in parts[2]]
    (home / "b.json").write_bytes(encoding.write(raw))
    assert encoding.encode(str(home / "b.json")).digest() == data.test.digest()


@given(st.lists(st.lists(st.sampled_from(["C", "G#", 3, -1]), min_size=1, max_size=9), min_size=1, max_size=5))
def test_sequences_are_decoded_without_loss(tmp_path_factory, part):
    home = tmp_path_factory.mktemp("sequences")
    part.append(["C", "G#", 3, -1])
    (home / "a.json").write_text(json.dumps({"train": part, "valid": part, "test": part}))
    data = load(str(home / "a.json"))
    encoding = again(data.encoding)
    batch = everything(data.test)
    assert encoding.decode(batch.x.numpy()) == part
    (home / "b.json").write_bytes(encoding.write(part))
    assert encoding.encode(str(home / "b.json")).digest() == data.test.digest()


def test_music_of_the_shared_data(shared_data):
    chorales = load(str(shared_data / "jsb_chorales" / "jsb-chorales-quarter.json"))
    assert chorales.encoding.domain.shape[1] == 96 - 43 + 1
    assert int(everything(chorales.test).dims.sum()) == 4725
    voices = load(str(shared_data / "jsb_chorales" / "Jsb16thSeparated.json.gz"))
    assert (voices.encoding.kind, voices.encoding.width, len(voices.encoding.symbols)) == ("sequences", 4, 47)
    assert int(everything(voices.test).elements.sum()) == 4 * 18_900


@pytest.mark.parametrize("lengths", [[5] * 60, list(range(1, 61))])
def test_fasta_is_decoded_without_loss(tmp_path, lengths):
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("ACGT-"), size)) for size in lengths]
    (tmp_path / "a.fasta").write_text("".join(f">s{n} about\n{t[:3]}\n{t[3:]}\n" for n, t in enumerate(texts)))
    data = load(str(tmp_path / "a.fasta"))
    encoding = again(data.encoding)
    assert encoding.aligned == (5 if len(set(lengths)) == 1 else None)
    whole = encoding.encode(str(tmp_path / "a.fasta"))
    raw = encoding.decode(everything(whole).x.numpy())
    assert raw == texts
    (tmp_path / "b.fasta").write_bytes(encoding.write(raw))
    assert encoding.encode(str(tmp_path / "b.fasta")).digest() == whole.digest()


@settings(max_examples=20)
@given(st.lists(st.text(alphabet="ACGT-", min_size=1, max_size=9), min_size=1, max_size=9))
def test_any_fasta_survives(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("fasta") / "a.fasta"
    aligned = len(texts[0]) if len({len(text) for text in texts}) == 1 else None
    encoding = FastaEncoding("-ACGT", aligned, aligned or 10, 5)
    path.write_bytes(encoding.write(texts))
    batch = everything(encoding.encode(str(path)))
    rows = [encoding.decode(row[mask][None].numpy())[0] for row, mask in zip(batch.x, batch.mask, strict=True)]
    assert rows == texts


@pytest.mark.filterwarnings("ignore:of .* are distinct:UserWarning")
def test_independent_sites_of_the_protein_family(shared_data):
    """88.93 nats a sequence with every tenth distinct sequence as test, the figure of the data's README."""
    from chainrule.baselines import IndependentElements
    from chainrule.data import ArrayExamples

    source = str(shared_data / "protein_pf00014" / "PF00014_mgap6.fasta.gz")
    x = load(source).encoding.encode(source).x
    _, first = np.unique(x, axis=0, return_index=True)
    x = x[np.sort(first)]
    is_test = np.arange(len(x)) % 10 == 0
    model = IndependentElements.fit(ArrayExamples(x[~is_test]), 21)
    assert evaluate(model, ArrayExamples(x[is_test])).likelihood.nats_per_example.value == pytest.approx(
        88.93, abs=0.05
    )


# --- larger than memory ---------------------------------------------------------------------------------------------


def test_prepared_texts_are_the_text(tmp_path, monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("chainrule.data.sources.stored_text.CHUNK", 500)
    (tmp_path / "a.txt").write_text(PROSE)
    for alphabet in (Bytes(), TOKENS):
        stream = stored_stream(str(tmp_path / "a.txt"), alphabet)
        assert isinstance(stream, np.memmap)
        assert alphabet.decode(stream) == PROSE.encode()
    assert len(list((tmp_path / "cache").iterdir())) == 1
    stored_stream(str(tmp_path / "a.txt"), TOKENS, progress=lambda what, total: pytest.fail("prepared twice"))


@pytest.mark.parametrize("text", [PROSE, PROSE.replace("\n", " "), "äöü" * 900, "x" * 2000])
def test_pieces_are_the_text(tmp_path, monkeypatch, text):
    monkeypatch.setattr("chainrule.data.sources.stored_text.CHUNK", 100)
    monkeypatch.setattr("chainrule.data.sources.stored_text.TOGETHER", 2)
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))
    for name, content in (("a.txt", text.encode()), ("a.txt.gz", gzip.compress(text.encode()))):
        (tmp_path / name).write_bytes(content)
        done = []
        shown = nullcontext(done.append)
        stream = stored_stream(str(tmp_path / name), TOKENS, progress=lambda what, total, shown=shown: shown)
        assert TOKENS.decode(stream) == text.encode()
        assert len(done) > 5
        assert sum(done) == len(content)


def test_a_large_text_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "a.txt").write_text(PROSE)
    small = {symbols: load(str(tmp_path / "a.txt"), symbols=symbols) for symbols in ("bytes", "bpe:280")}
    monkeypatch.setattr("chainrule.data.encodings.text.LARGE", 1000)
    monkeypatch.setattr("chainrule.data.sources.stored_text.LARGE", 1000)
    large = {symbols: load(str(tmp_path / "a.txt"), symbols=symbols) for symbols in ("bytes", "bpe:280")}
    assert isinstance(large["bytes"].train.stream, np.memmap)
    assert large["bytes"].digest() == small["bytes"].digest()
    pieces = [large["bpe:280"].encoding.raw(large["bpe:280"].split(name)) for name in ("train", "valid", "test")]
    assert b"".join(pieces) == PROSE.encode()
    with pytest.raises(InputError, match="bytes or tokens"):
        load(str(tmp_path / "a.txt"), symbols="characters")
    assert torch.equal(large["bytes"].test.batch(np.arange(1)).x, small["bytes"].test.batch(np.arange(1)).x)
    assert Path(tmp_path / "cache").exists()
