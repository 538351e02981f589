"""Data: raw <-> elements. `load` is the front door.

The names below are imported on first use: to read one kind of data imports none of the others.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainrule.data.encodings.arrays import ArrayEncoding as ArrayEncoding
    from chainrule.data.encodings.base import Encoding as Encoding
    from chainrule.data.encodings.data_set import DataSet as DataSet
    from chainrule.data.encodings.documents import DocumentEncoding as DocumentEncoding
    from chainrule.data.encodings.fasta import FastaEncoding as FastaEncoding
    from chainrule.data.encodings.images import ImageEncoding as ImageEncoding
    from chainrule.data.encodings.pixel_blocks import PixelBlockEncoding as PixelBlockEncoding
    from chainrule.data.encodings.sequences import SequenceEncoding as SequenceEncoding
    from chainrule.data.encodings.sets import SetEncoding as SetEncoding
    from chainrule.data.encodings.tables import TableEncoding as TableEncoding
    from chainrule.data.encodings.text import TextEncoding as TextEncoding
    from chainrule.data.examples.arrays import ArrayExamples as ArrayExamples
    from chainrule.data.examples.base import Examples as Examples
    from chainrule.data.examples.packing import PackedExamples as PackedExamples
    from chainrule.data.examples.sequences import SequenceExamples as SequenceExamples
    from chainrule.data.examples.stream import StreamExamples as StreamExamples
    from chainrule.data.recognition.load import load as load
    from chainrule.data.recognition.load import old_open as open  # noqa: F401
    from chainrule.data.recognition.registry import encoding_from_json as encoding_from_json

# Every public name and where it stands.
_HOME = {
    "ArrayEncoding": "encodings.arrays:ArrayEncoding",
    "ArrayExamples": "examples.arrays:ArrayExamples",
    "DataSet": "encodings.data_set:DataSet",
    "DocumentEncoding": "encodings.documents:DocumentEncoding",
    "Encoding": "encodings.base:Encoding",
    "Examples": "examples.base:Examples",
    "FastaEncoding": "encodings.fasta:FastaEncoding",
    "ImageEncoding": "encodings.images:ImageEncoding",
    "PackedExamples": "examples.packing:PackedExamples",
    "PixelBlockEncoding": "encodings.pixel_blocks:PixelBlockEncoding",
    "SequenceEncoding": "encodings.sequences:SequenceEncoding",
    "SequenceExamples": "examples.sequences:SequenceExamples",
    "SetEncoding": "encodings.sets:SetEncoding",
    "StreamExamples": "examples.stream:StreamExamples",
    "TableEncoding": "encodings.tables:TableEncoding",
    "TextEncoding": "encodings.text:TextEncoding",
    "encoding_from_json": "recognition.registry:encoding_from_json",
    "load": "recognition.load:load",
    "open": "recognition.load:old_open",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    file, _, own = _HOME[name].partition(":")
    return getattr(import_module(f"chainrule.data.{file}"), own)


def __dir__() -> list[str]:
    return __all__
