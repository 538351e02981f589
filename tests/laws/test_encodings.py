"""The law of encodings: what `to_json` writes is the same encoding again, whatever the alphabet and the end."""

import json

import pytest

from chainrule.data import encoding_from_json, load
from chainrule.data.alphabets.tokens import Tokens

NAMES = [a + b for a in ("anna", "bert", "carl", "dora", "emil") for b in ("", "lie", "son", "mann", "e", "ine")]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Names, a tokenizer, and what of a model's directory says how its tokens are read; start, end and last differ."""
    place = tmp_path_factory.mktemp("encodings")
    (place / "names.txt").write_text("\n".join(NAMES) + "\n")
    (place / "t.json").write_text(Tokens.trained("\n".join(NAMES), 270).specification)
    (place / "model").mkdir()
    (place / "model" / "tokenizer.json").write_text((place / "t.json").read_text())
    (place / "model" / "config.json").write_text(json.dumps({"vocab_size": 280, "eos_token_id": 277}))
    return place


@pytest.mark.parametrize("symbols", ["bytes", "characters", "bpe:270", "t.json", "model"])
@pytest.mark.parametrize("more", [{"documents": "stream"}, {"end": "scored"}, {"end": "given"}], ids=str)
def test_texts(place, symbols, more):
    pytest.importorskip("tokenizers", reason="the extra `text` is not installed")
    symbols = str(place / symbols) if symbols in ("t.json", "model") else symbols
    encoding = load(str(place / "names.txt"), symbols=symbols, **more).encoding
    again = encoding_from_json(json.loads(json.dumps(encoding.to_json())))
    assert again == encoding
    assert again.domain == encoding.domain
    assert again.protocol == encoding.protocol


@pytest.mark.parametrize(
    "options", [{}, {"given": "label"}, {"pixel_block": 2}, {"pixel_block": 4, "given": "label"}], ids=str
)
def test_images(options):
    encoding = load("digits", **options).encoding
    again = encoding_from_json(json.loads(json.dumps(encoding.to_json())))
    assert (again, again.domain, again.protocol) == (encoding, encoding.domain, encoding.protocol)
