"""What `chainrule fit` takes for a text and for images when nothing is said: data to time it on, model, settings."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch

from chainrule.config.defaults import DEFAULTS, default_spec
from chainrule.config.registry import build_model
from chainrule.data import load
from chainrule.data.alphabets.alphabet import Bytes
from chainrule.data.encodings.base import Encoding
from chainrule.data.encodings.text import TextEncoding
from chainrule.data.examples.base import Examples
from chainrule.data.examples.stream import StreamExamples
from chainrule.models.chain import AutoregressiveModel
from chainrule.training.settings import TrainingSettings

__all__ = ["Default", "image", "text"]


class Default(NamedTuple):
    """What it is, in words; its model, its training examples, a few for validation, and its settings."""

    name: str
    model: AutoregressiveModel
    train: Examples
    few: Examples
    settings: TrainingSettings


def default(name: str, encoding: Encoding, train: Examples, few: Examples, **changes: Any) -> Default:
    """By the kind of the data."""
    torch.manual_seed(0)
    domain, kind = encoding.domain, encoding.group
    model = build_model(default_spec(domain, kind), domain)
    return Default(name, model, train, few, TrainingSettings(**(DEFAULTS[kind]["training"] | changes)))


def text(window: int = 256, **changes: Any) -> Default:
    """Bytes in windows; which letters they are does not matter to the time."""
    letters = np.random.default_rng(0).integers(97, 123, 1 << 20, dtype=np.uint8)
    train, few = (StreamExamples(part, window, window // 2) for part in (letters, letters[:window]))
    name = f"the default for text, transformer 4 x 128, 16 windows of {window} bytes"
    return default(name, TextEncoding(Bytes(), window, window // 2), train, few, **changes)


def image(**changes: Any) -> Default:
    """The digits of scikit-learn."""
    data = load("digits")
    return default(
        "the default for images, PixelCNN 48 x 3, 50 digits", data.encoding, data.train, data.valid, **changes
    )
