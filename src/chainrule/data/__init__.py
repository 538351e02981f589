"""Data: raw <-> elements. `open` is the front door."""

from chainrule.data.encodings.documents import DocumentEncoding
from chainrule.data.encodings.fasta import FastaEncoding
from chainrule.data.encodings.images import ImageEncoding
from chainrule.data.encodings.sequences import SequenceEncoding
from chainrule.data.encodings.sets import SetEncoding
from chainrule.data.encodings.tables import TableEncoding
from chainrule.data.encodings.text import StreamExamples, TextEncoding
from chainrule.data.examples.arrays import ArrayEncoding
from chainrule.data.examples.base import ArrayExamples, DataSet, Encoding, Examples
from chainrule.data.examples.blocks import BlockEncoding
from chainrule.data.examples.lengths import SequenceExamples
from chainrule.data.examples.packing import PackedExamples
from chainrule.data.recognition.load import encoding_from_json, open

__all__ = [
    "ArrayEncoding",
    "ArrayExamples",
    "BlockEncoding",
    "DataSet",
    "DocumentEncoding",
    "Encoding",
    "Examples",
    "FastaEncoding",
    "ImageEncoding",
    "PackedExamples",
    "SequenceEncoding",
    "SequenceExamples",
    "SetEncoding",
    "StreamExamples",
    "TableEncoding",
    "TextEncoding",
    "encoding_from_json",
    "open",
]
