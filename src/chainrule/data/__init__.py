"""Data: raw <-> elements. `load` is the front door."""

from chainrule.data.encodings.arrays import ArrayEncoding
from chainrule.data.encodings.base import Encoding
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.encodings.documents import DocumentEncoding
from chainrule.data.encodings.fasta import FastaEncoding
from chainrule.data.encodings.images import ImageEncoding
from chainrule.data.encodings.pixel_blocks import PixelBlockEncoding
from chainrule.data.encodings.sequences import SequenceEncoding
from chainrule.data.encodings.sets import SetEncoding
from chainrule.data.encodings.tables import TableEncoding
from chainrule.data.encodings.text import TextEncoding
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.data.examples.base import Examples
from chainrule.data.examples.packing import PackedExamples
from chainrule.data.examples.sequences import SequenceExamples
from chainrule.data.examples.stream import StreamExamples
from chainrule.data.recognition.load import load
from chainrule.data.recognition.load import old_open as open
from chainrule.data.recognition.registry import encoding_from_json

__all__ = [
    "ArrayEncoding",
    "ArrayExamples",
    "DataSet",
    "DocumentEncoding",
    "Encoding",
    "Examples",
    "FastaEncoding",
    "ImageEncoding",
    "PackedExamples",
    "PixelBlockEncoding",
    "SequenceEncoding",
    "SequenceExamples",
    "SetEncoding",
    "StreamExamples",
    "TableEncoding",
    "TextEncoding",
    "encoding_from_json",
    "load",
    "open",
]
