"""Tokens of a text from those of its pieces: the same as from the whole text, whatever stands in it."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainrule import InputError
from chainrule.data.alphabets.tokens import Tokens
from chainrule.data.alphabets.words import PATTERNS, can_be_divided, places_to_cut
from chainrule.data.sources import stored_text

pytest.importorskip("tokenizers")

PROSE = (
    'It was the best of times, it was the worst of times;\nit wasn\'t 1859 (no!) -- "naïve" Кити  said.\n\n'
    "    def f(x):\n\treturn x[0] + 12345\r\nThey'll say: don't...  'tis\n"
) * 20
PARTS = "  |\n\n| \n|\r\n|'s|'ll|the|The|of|x|é|е́|中|文|ß|١|7|42|👍🏽|<end>|İ"
SIGNS = st.sampled_from(
    [
        *" \n\t\r'\".,;!?()-_",
        *"\u00a0\u2003\u180e\x85\x1c\u200b",
        *PARTS.split("|"),
    ]
)
TEXTS = st.lists(SIGNS, min_size=1, max_size=40).map("".join)


def tokenizer(pattern=None):
    """A byte-level tokenizer as GPT-2 divides a text, or by one of the other patterns; with a token of its own."""
    import tokenizers

    specification = json.loads(Tokens.trained(PROSE, 400).specification)
    built = tokenizers.Tokenizer.from_str(json.dumps(specification))
    if pattern is not None:
        split = tokenizers.pre_tokenizers.Split(tokenizers.Regex(pattern), behavior="isolated", invert=False)
        level = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        built.pre_tokenizer = tokenizers.pre_tokenizers.Sequence([split, level])
    built.add_special_tokens(["<end>"])
    return Tokens(built.to_str())


TOKENIZERS = [tokenizer(pattern) for pattern in (None, *sorted(PATTERNS))]
GPT_2 = TOKENIZERS[0]


def whole(tokens, text):
    """The tokens as the library gives them for a text in one piece."""
    return tokens._tokenizer.encode(text, add_special_tokens=False).ids


@pytest.mark.parametrize("tokens", TOKENIZERS, ids=["default", *map(str, range(len(PATTERNS)))])
@given(text=TEXTS)
def test_a_text_has_the_tokens_of_the_whole(tokens, text):
    assert can_be_divided(tokens.specification)
    assert tokens.encode(text.encode(), "a text").tolist() == whole(tokens, text)


@given(texts=st.lists(TEXTS, min_size=1, max_size=6))
def test_texts_that_are_encoded_together_do_not_know_each_other(texts):
    raw = [text.encode() for text in texts]
    found = GPT_2.encode_all(raw, str)
    assert [ids.tolist() for ids in found] == [whole(GPT_2, text) for text in texts]


@given(text=TEXTS)
def test_the_tokens_of_the_pieces_are_those_of_the_text(text):
    text = text.replace("<end>", "<|")
    cuts = [0, *places_to_cut(text).tolist(), len(text)]
    pieces = (text[start:stop] for start, stop in pairwise(cuts))
    assert [token for piece in pieces for token in whole(GPT_2, piece)] == whole(GPT_2, text)


def test_a_text_longer_than_what_is_divided_at_once(monkeypatch):
    from chainrule.data.alphabets import words

    monkeypatch.setattr(words, "SLAB", 50)
    monkeypatch.setattr(words, "NEAR", 20)
    monkeypatch.setattr(words, "MOST_KNOWN", 20)
    fresh = Tokens(GPT_2.specification)
    text = PROSE.replace("of", "of<end>")
    assert fresh.encode(text.encode(), "a text").tolist() == whole(GPT_2, text)
    unbroken = "中" * 200
    assert fresh.encode(unbroken.encode(), "a text").tolist() == whole(GPT_2, unbroken)


@pytest.mark.parametrize(
    "change",
    [
        {"normalizer": {"type": "Lowercase"}},
        {"pre_tokenizer": None},
        {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True}},
        {"pre_tokenizer": {"type": "Whitespace"}},
        {"added_tokens": [{"id": 0, "content": "of the", "single_word": False, "lstrip": False, "rstrip": False}]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_tokenizers_read_the_whole_text(change):
    assert not can_be_divided(json.dumps(json.loads(GPT_2.specification) | change))


def test_a_tokenizer_that_reads_whole_texts_has_the_same_tokens_for_many():
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    tokens = Tokens(json.dumps(json.loads(GPT_2.specification) | {"pre_tokenizer": level}))
    texts = ["two words", "a", "three more words"]
    assert not can_be_divided(tokens.specification)
    found = tokens.encode_all([text.encode() for text in texts], str)
    assert [ids.tolist() for ids in found] == [whole(tokens, text) for text in texts]


def test_a_text_that_is_not_given_back_is_refused_with_its_place():
    specification = json.loads(GPT_2.specification)
    specification["normalizer"] = {"type": "Lowercase"}
    tokens = Tokens(json.dumps(specification))
    with pytest.raises(
        InputError, match=r"b: the tokenizer does not give the text back \(first difference at byte 4\)"
    ):
        tokens.encode_all([b"the times", b"the Times"], "ab".__getitem__)


def test_a_stored_text_has_the_tokens_of_its_chunks(tmp_path, monkeypatch):
    monkeypatch.setenv("CHAINRULE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(stored_text, "CHUNK", 300)
    monkeypatch.setattr(stored_text, "TOGETHER", 3)
    (tmp_path / "a.txt").write_bytes(PROSE.encode())
    chunks = [raw for raw, _ in stored_text._chunks(tmp_path / "a.txt")]
    assert len(chunks) > 6
    expected = [token for raw in chunks for token in whole(GPT_2, raw.decode())]
    assert np.asarray(stored_text.stored_stream(str(tmp_path / "a.txt"), GPT_2)).tolist() == expected
