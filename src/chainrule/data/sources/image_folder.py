"""A folder of pictures: class folders become labels, folders named for a split become splits."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from chainrule.batch import Array
from chainrule.data.examples.stored import LARGE, Progress, stored
from chainrule.data.sources.folders import files_below, natural_key, split_of
from chainrule.data.sources.picture_files import FOREIGN, PICTURES, Pictures
from chainrule.errors import InputError

__all__ = ["folder_parts", "is_image_folder", "picture_names", "png_bytes"]

CHUNK = 256  # images that are written at once

Part = tuple[Array, Array | None]


def is_image_folder(path: Path) -> bool:
    """Whether most files of a folder, at any depth, are pictures by their name."""
    files = files_below(path) if path.is_dir() else []
    return sum(file.suffix.lower() in PICTURES or file.suffix.lower() in FOREIGN for file in files) * 2 > len(files)


def folder_parts(source: str, pictures: Pictures, progress: Progress | None = None) -> dict[str, Part]:
    """Images (N, H, W) or (N, H, W, 3), and labels where they lie in class folders, by split; "" for a single part.

    Above 64 MiB of pixels the images are prepared once into a file that is mapped, see `stored`.

    source: a folder, or one picture.
    pictures: how a file becomes bytes.
    progress: shows the number of pictures that were prepared; None shows nothing.

    Raises InputError, naming the file, for one that is no picture (see `Pictures`), or has another size or other
    channels than the first.
    """
    if Path(source).is_file():
        if Path(source).suffix.lower() not in (*PICTURES, *FOREIGN):
            raise InputError(f"{source}: is not a picture; expected one, or a folder, IDX or an array file of pictures")
        return {"": (pictures.read(Path(source))[None], None)}
    return {name: _part(*found, pictures, progress) for name, found in _split_files(source, pictures.reader).items()}


def picture_names(source: str, reader: int) -> dict[str, list[str]]:
    """The names of the pictures, relative to the source, in the order of `folder_parts`, by split."""
    folder = Path(source)
    if folder.is_file():
        return {"": [folder.name]} if folder.suffix.lower() in PICTURES else {}
    found = _split_files(source, reader)
    return {name: [file.relative_to(folder).as_posix() for file in files] for name, (_, files) in found.items()}


def _split_files(source: str, reader: int) -> dict[str, tuple[Path, list[Path]]]:
    """The folder and the files of each split, in the order in which people count, "" for a single part."""
    folder = Path(source)
    if not folder.exists():
        raise InputError(f"{source}: there is no such file or folder; check the path")
    if reader == 1:
        return {name: (part, files_below(part)) for name, part in _splits_as_before(folder).items()}
    folder = _only_folder(folder)
    files = sorted(files_below(folder), key=natural_key)
    if not files:
        raise InputError(f"{folder}: the folder holds no images; give it PNG or JPEG files")
    tops: dict[str, list[Path]] = {}
    for file in files:
        tops.setdefault(file.relative_to(folder).parts[0], []).append(file)
    named = {top: split for top in tops if (split := split_of(top)) and (folder / top).is_dir()}
    if not named:
        _refuse_inner_splits(folder, files)
        return {"": (folder, files)}
    stray = [files[0] for top, files in tops.items() if top not in named]
    if stray:
        raise InputError(f"{stray[0]}: lies beside the folders {', '.join(named)}; move it into one of them")
    if len(set(named.values())) < len(named):
        raise InputError(f"{folder}: the folders {', '.join(named)} name a split twice; merge them, or rename one")
    found = {split: (_inner(folder / top), tops[top]) for top, split in named.items()}
    return {split: found[split] for split in ("train", "valid", "test") if split in found}


def _only_folder(folder: Path) -> Path:
    """The folder, or the one in it that holds all others: archives often wrap one folder in another."""
    seen: set[Path] = set()
    while folder.resolve() not in seen:
        seen.add(folder.resolve())
        inside = [entry for entry in folder.iterdir() if not entry.name.startswith(".") and entry.name != "__MACOSX"]
        if len(inside) != 1 or not inside[0].is_dir() or split_of(inside[0].name):
            break
        if not any(entry.is_dir() for entry in inside[0].iterdir()):  # one class
            break
        folder = inside[0]
    return folder


def _inner(folder: Path) -> Path:
    """The folder of a split, or the one of the same name that is all that it holds (`train/train/`)."""
    inside = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    same = len(inside) == 1 and inside[0].is_dir() and inside[0].name.lower() == folder.name.lower()
    return inside[0] if same else folder


def _refuse_inner_splits(folder: Path, files: Iterable[Path]) -> None:
    """Refuse classes that hold folders named for splits, which would be trained on."""
    for file in files:
        for name in file.relative_to(folder).parts[1:-1]:
            if split_of(name) == "test":
                raise InputError(
                    f"{file}: lies in a folder {name!r} inside another; put train, valid and test on top, with the "
                    "classes in each of them"
                )


def _splits_as_before(folder: Path) -> dict[str, Path]:
    """The folders of splits as the first versions found them, by names in lower case."""
    old = {"train": "train", "training": "train", "valid": "valid", "val": "valid", "validation": "valid"}
    old["test"] = "test"
    named = {old[part.name]: part for part in sorted(folder.iterdir()) if part.is_dir() and part.name in old}
    return named if "train" in named else {"": folder}


def _part(folder: Path, files: list[Path], pictures: Pictures, progress: Progress | None) -> Part:
    if not files:
        raise InputError(f"{folder}: the folder holds no images; give it PNG or JPEG files")
    classes = [file.relative_to(folder).parts[:-1] for file in files]
    labels = np.array(["/".join(parts) for parts in classes]) if all(classes) else None
    if pictures.read(files[0]).nbytes * len(files) > LARGE:
        return _stored_images(folder, files, pictures, progress), labels
    return np.stack(list(_read(files, pictures))), labels


def _stored_images(folder: Path, files: list[Path], pictures: Pictures, progress: Progress | None) -> Array:
    """The images as an array on disk, prepared once."""
    marks = [(str(file.relative_to(folder)), file.stat().st_size, file.stat().st_mtime_ns) for file in files]

    def pieces() -> Iterator[tuple[Array, int]]:
        images = iter(_read(files, pictures))
        while chunk := list(islice(images, CHUNK)):
            yield np.stack(chunk), len(chunk)

    how = [] if pictures.reader == 1 else [pictures.reader, pictures.levels]
    key = json.dumps(["images", str(folder.resolve()), marks, *how])
    return stored(key, pieces, str(folder), len(files), progress)


def _read(files: Iterable[Path], pictures: Pictures) -> Iterator[Array]:
    first: tuple[Path, Array] | None = None
    for file in files:
        image = pictures.read(file)
        first = (file, image) if first is None else first
        if image.shape != first[1].shape:
            raise InputError(
                f"{file}: is {_size(image)}, but the first image is {_size(first[1])} ({first[0].name}); bring all to "
                "one size and mode"
            )
        yield image


def _size(image: Array) -> str:
    return f"{image.shape[1]}x{image.shape[0]} {'grey' if image.ndim == 2 else 'RGB'}"


def png_bytes(image: Array) -> bytes:
    """A PNG file of one image, bytes 0..255 of shape (H, W) or (H, W, 3)."""
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.fromarray(np.ascontiguousarray(image)).save(buffer, format="PNG")
    return buffer.getvalue()
