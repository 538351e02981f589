"""A folder of PNG and JPEG files: class folders become labels, `train`, `valid` and `test` folders splits."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from chainrule.batch import Array
from chainrule.data.examples.stored import LARGE, Progress, stored
from chainrule.errors import InputError

__all__ = ["folder_parts", "is_image_folder", "png_bytes"]

ENDINGS = {".png", ".jpg", ".jpeg"}
SPLITS = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "test": "test",
}
MOST_PIXELS = 2**24
CHUNK = 256  # images that are written at once
CHANNELS = {"1": 1, "L": 1, "P": 3, "RGB": 3, "RGBA": 3}

Part = tuple[Array, Array | None]


def _pillow() -> ModuleType:
    """The `PIL.Image` module, imported on first use."""
    from PIL import Image

    return Image


def _files(folder: Path) -> list[Path]:
    """The files of a folder at any depth, sorted by path, hidden ones left out."""
    found = (file for file in folder.rglob("*") if file.is_file())
    return sorted(
        file
        for file in found
        if not any(part.startswith(".") for part in file.relative_to(folder).parts) and file.name != "Thumbs.db"
    )


def is_image_folder(path: Path) -> bool:
    """Whether most files of a folder, at any depth, are PNG or JPEG by their name."""
    files = _files(path) if path.is_dir() else []
    return sum(file.suffix.lower() in ENDINGS for file in files) * 2 > len(files)


def folder_parts(source: str, progress: Progress | None = None) -> dict[str, Part]:
    """Images (N, H, W) or (N, H, W, 3), and labels where they lie in class folders, by split; "" for a single part.

    Above 64 MiB of pixels the images are prepared once into a file that is mapped, see `stored`.

    Raises InputError, naming the file, for a file that is not a PNG or JPEG, is damaged, has more than 2^24 pixels
    (a decompression bomb), or has another size or other channels than the first.
    """
    folder = Path(source)
    named = {SPLITS[part.name]: part for part in sorted(folder.iterdir()) if part.is_dir() and part.name in SPLITS}
    if "train" not in named:
        return {"": _part(folder, progress)}
    stray = [file for file in _files(folder) if file.relative_to(folder).parts[0] not in SPLITS]
    if stray:
        raise InputError(f"{stray[0]}: lies beside the folders {', '.join(named)}; move it into one of them")
    return {name: _part(part, progress) for name, part in named.items()}


def _part(folder: Path, progress: Progress | None) -> Part:
    files = _files(folder)
    if not files:
        raise InputError(f"{folder}: the folder holds no images; give it PNG or JPEG files")
    classes = [file.relative_to(folder).parts[:-1] for file in files]
    labels = np.array(["/".join(parts) for parts in classes]) if all(classes) else None
    first = _image(files[0])
    if first.nbytes * len(files) > LARGE:
        return _stored_images(folder, files, progress), labels
    return np.stack(list(_read(files))), labels


def _stored_images(folder: Path, files: list[Path], progress: Progress | None) -> Array:
    """The images as an array on disk, prepared once."""
    marks = [(str(file.relative_to(folder)), file.stat().st_size, file.stat().st_mtime_ns) for file in files]

    def pieces() -> Iterator[tuple[Array, int]]:
        images = iter(_read(files))
        while chunk := list(islice(images, CHUNK)):
            yield np.stack(chunk), len(chunk)

    key = json.dumps(["images", str(folder.resolve()), marks])
    return stored(key, pieces, str(folder), len(files), progress)


def _read(files: Iterable[Path]) -> Iterable[Array]:
    first: Array | None = None
    for file in files:
        image = _image(file)
        first = image if first is None else first
        if image.shape != first.shape:
            raise InputError(
                f"{file}: is {_size(image)}, but the first image is {_size(first)}; bring all to one size and mode"
            )
        yield image


def _size(image: Array) -> str:
    return f"{image.shape[1]}x{image.shape[0]} {'grey' if image.ndim == 2 else 'RGB'}"


def _image(file: Path) -> Array:
    image_module = _pillow()
    if file.suffix.lower() not in ENDINGS:
        raise InputError(f"{file}: is neither .png nor .jpg; move it out of the folder of images")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", image_module.DecompressionBombWarning)
            with image_module.open(file, formats=("PNG", "JPEG")) as image:
                _check_header(file, image)
                return np.asarray(image.convert("L" if CHANNELS[image.mode] == 1 else "RGB"))
    except (image_module.DecompressionBombWarning, image_module.DecompressionBombError):
        raise InputError(f"{file}: has more than {MOST_PIXELS} pixels; is it a bomb? remove it") from None
    except image_module.UnidentifiedImageError:
        raise InputError(f"{file}: is not a PNG or JPEG inside; remove it, or write it again") from None
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: the image is damaged ({error}); fetch it again") from None


def _check_header(file: Path, image: Any) -> None:
    """Refuse by what the header says, before any pixel is unpacked."""
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise InputError(f"{file}: has {width}x{height} pixels, more than {MOST_PIXELS}; is it a bomb? remove it")
    if image.mode not in CHANNELS:
        raise InputError(f"{file}: has the mode {image.mode}, expected 8-bit grey or RGB; convert it")
    if image.mode == "RGBA" and image.getextrema()[3] != (255, 255):
        raise InputError(f"{file}: has transparent pixels; put it on a background first")


def png_bytes(image: Array) -> bytes:
    """A PNG file of one image, bytes 0..255 of shape (H, W) or (H, W, 3)."""
    from io import BytesIO

    buffer = BytesIO()
    _pillow().fromarray(np.ascontiguousarray(image)).save(buffer, format="PNG")
    return buffer.getvalue()
