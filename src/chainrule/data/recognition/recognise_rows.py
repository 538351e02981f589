"""Which kind of images, arrays or tables a source is, by its name and what a folder holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from chainrule.data.encodings.binary_tables import is_binary_table, open_binary
from chainrule.data.encodings.images import open_images
from chainrule.data.encodings.tables import open_table
from chainrule.data.examples.arrays import open_array
from chainrule.data.examples.base import DataSet
from chainrule.data.sources.idx import is_idx
from chainrule.data.sources.image_folder import is_image_folder
from chainrule.data.sources.table_files import is_table

__all__ = ["row_reader"]

Reader = Callable[..., DataSet]
OF_TEXT = {"symbols", "documents", "field", "window", "stride", "pack", "end"}


def row_reader(source: str, options: dict[str, Any]) -> Reader | None:
    """How to open images, arrays and tables; None for what is none of them, or is to be read as text.

    An array file is opened as images of grey values where levels or a binarization are asked for.
    """
    path = Path(source)
    if path.suffix in (".npy", ".npz"):
        return open_images if options.keys() & {"levels", "binarize"} else open_array
    if is_idx(path) or is_image_folder(path):
        return open_images
    if options.keys() & OF_TEXT:
        return None
    if is_binary_table(path):
        return open_binary
    return open_table if is_table(path) else None
