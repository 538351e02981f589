"""IDX, the format of MNIST: two zero bytes, a type, the sides of the array as big-endian words, then its bytes."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np

from chainrule.batch import Array
from chainrule.data.sources.memory import refuse_above_memory
from chainrule.data.sources.plain_files import PACKED_ENDINGS, packing_of, refuse_false_ending, unpacked
from chainrule.errors import InputError

__all__ = ["idx_parts", "is_idx", "read_idx"]

NAMES = {"train": "train", "t10k": "test", "test": "test", "valid": "valid"}


def is_idx(path: Path) -> bool:
    """Whether a file is named like one of MNIST's, or a folder holds such a file."""
    if path.is_dir():
        return any("images-idx" in file.name for file in path.iterdir())
    name = path.name.lower()
    for packed in PACKED_ENDINGS:
        name = name.removesuffix(packed)
    return "-idx" in name or name.endswith((".idx", "-ubyte"))


def read_idx(path: Path) -> Array:
    """The array of an IDX file of bytes, also gzipped.

    Raises InputError for a file that is missing, cut off, too long, or of another type than bytes.
    """
    refuse_false_ending(path)
    with unpacked(path, any_format=True) as file:
        head = file.read(4)
        axes = head[3] if len(head) == 4 else 0
        sides = file.read(4 * axes) if head[:3] == b"\0\0\x08" and 1 <= axes <= 4 else b""
        if not sides or len(sides) < 4 * axes:
            raise InputError(f"{path}: is not an IDX file of bytes (it starts with {head.hex()}); fetch it again")
        shape = tuple(int(side) for side in np.frombuffer(sides, ">u4"))
        size, begin = prod(shape), 4 + 4 * axes
        if packing_of(path) is None:
            _check_length(path, path.stat().st_size, begin + size)
        refuse_above_memory(2.0 * size, str(path), f"holds {'x'.join(map(str, shape))} bytes")
        content = file.read(size)
        surplus = len(file.read(1))
    _check_length(path, begin + len(content) + surplus, begin + size)
    return np.frombuffer(content, np.uint8).reshape(shape)


def _check_length(path: Path, came: int, expected: int) -> None:
    if came != expected:
        raise InputError(f"{path}: has {came} bytes, its header promises {expected}; fetch it again")


def idx_parts(source: str) -> dict[str, tuple[Array, Array | None]]:
    """Images and labels by split, from a folder of IDX files or from one file of images and those beside it.

    `train-images-...` and `t10k-images-...` are train and test; a file of any other name is everything, under "".
    """
    path = Path(source)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if "images-idx" in file.name)
    else:
        prefix = path.name.split("-")[0]
        files = [path]
        if prefix in NAMES and "images" in path.name:
            others = (path.with_name(name + path.name.removeprefix(prefix)) for name in NAMES)
            files += [other for other in others if other != path and other.exists()]
    parts: dict[str, tuple[Array, Array | None]] = {}
    for file in files:
        images = read_idx(file)
        if images.ndim < 3:
            raise InputError(f"{file}: has the shape {images.shape}, expected images; open the file of images instead")
        beside = file.with_name(file.name.replace("images", "labels").replace("idx3", "idx1").replace("idx4", "idx1"))
        labels = read_idx(beside) if beside != file and beside.exists() else None
        if labels is not None and len(labels) != len(images):
            raise InputError(f"{beside}: has {len(labels)} labels for {len(images)} images; fetch the pair again")
        parts[NAMES.get(file.name.split("-")[0], "")] = (images, labels)
    return parts if "train" in parts else {"": next(iter(parts.values()))}
