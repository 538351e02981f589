"""How a Python object is opened, by what it holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.data.encodings.documents import open_documents
from chainrule.data.encodings.images import open_images
from chainrule.data.encodings.sequences import open_sequences
from chainrule.data.encodings.sets import open_sets
from chainrule.data.encodings.tables import open_table
from chainrule.data.examples.arrays import open_array
from chainrule.data.examples.base import DataSet
from chainrule.data.recognition.recognise import are_sets
from chainrule.data.sources.objects import Held

__all__ = ["object_reader"]

Reader = Callable[..., DataSet]


def object_reader(held: Held, options: dict[str, Any]) -> tuple[Reader, dict[str, Any]]:
    """How to open what an object holds, and with which options; `field` was used up when it was held.

    Arrays are opened as images of grey values where levels or a binarization are asked for.
    """
    if held.kind == "texts":
        return open_documents, {"documents": "record"} | options
    if held.kind == "sequences":
        reader = open_sets if are_sets(next(iter(held.parts.values()))) else open_sequences
        return reader, options if reader is open_sequences else _without_field(options)
    if held.kind == "table":
        return open_table, _without_field(options)
    return open_images if options.keys() & {"levels", "binarize"} else open_array, _without_field(options)


def _without_field(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name != "field"}
