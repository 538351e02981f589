"""Which kind of data a source is, by its clues; the registry asks in its order, and the first yes counts."""

from __future__ import annotations

from chainrule.data.sources import binary_tables, fasta, idx, image_folder, table_files
from chainrule.data.sources.clues import Clues
from chainrule.data.sources.digits import DIGITS, path_has_the_name
from chainrule.data.sources.folders import files_below
from chainrule.data.sources.plain_files import TEXT_ENDINGS, data_ending

__all__ = [
    "are_arrays",
    "are_documents",
    "are_images",
    "are_sequences",
    "are_sets",
    "is_binary_table",
    "is_digits",
    "is_fasta",
    "is_table",
    "is_text",
]

OF_GREY = {"levels", "binarize"}  # options of grey values
OF_TABLE = {"columns", "drop", "header", "delimiter", "decimal", "missing", "dates", "split_column"}
OF_TEXT = {"symbols", "documents"}  # which say that what is named like a table is to be read as a text


def is_digits(clues: Clues) -> bool:
    """The name of the digits that scikit-learn ships; where a path here has it, too, `builtin` has to say so."""
    return clues.source == DIGITS and (bool(clues.options.get("builtin")) or not path_has_the_name())


def are_images(clues: Clues) -> bool:
    """IDX, a folder of PNG or JPEG; an array where levels or a binarization are asked for."""
    if clues.path is not None and (idx.is_idx(clues.path) or image_folder.is_image_folder(clues.path)):
        return True
    return clues.holds_arrays and bool(clues.options.keys() & OF_GREY)


def are_arrays(clues: Clues) -> bool:
    """An array, or a file of arrays; of symbols, as rows of reals are a table."""
    return clues.holds_arrays and clues.form != "table"


def is_binary_table(clues: Clues) -> bool:
    """A table of 0 and 1 in three files, unless options of text are given."""
    return clues.path is not None and not clues.options.keys() & OF_TEXT and binary_tables.is_binary_table(clues.path)


def is_table(clues: Clues) -> bool:
    """A frame, rows of reals, or a file or folder named like a table, unless options of text are given.

    Where a file's name says nothing (a pipe has none), options of tables make it one.
    """
    if clues.path is None:
        return clues.form == "table"
    if clues.options.keys() & OF_TEXT:
        return False
    asked = bool(clues.options.keys() & OF_TABLE) and not clues.ending and clues.path.is_file()
    return asked or table_files.is_table(clues.path) or clues.form == "table"


def is_fasta(clues: Clues) -> bool:
    """A file named like FASTA."""
    return clues.path is not None and not clues.path.is_dir() and fasta.is_fasta(clues.path)


def are_sets(clues: Clues) -> bool:
    """JSON or lists whose steps are lists of different lengths."""
    return clues.form == "sets"


def are_sequences(clues: Clues) -> bool:
    """JSON or lists of symbols, or of steps of one length."""
    return clues.form == "sequences"


def are_documents(clues: Clues) -> bool:
    """Texts by record; text files with one word per line, or for which `documents` says what a document is."""
    documents = clues.options.get("documents")
    if documents is None:
        return clues.form == "texts" or (is_text(clues) and clues.is_one_per_line)
    return documents != "stream" and (clues.form == "texts" or is_text(clues))


def is_text(clues: Clues) -> bool:
    """Any other file, and a folder with text files."""
    if clues.path is None:
        return False
    if clues.path.is_dir():
        return any(data_ending(file.name) in TEXT_ENDINGS for file in files_below(clues.path))
    return clues.path.exists() or bool(clues.path.suffix) or "/" in str(clues.source)
