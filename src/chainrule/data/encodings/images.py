"""Images: PNG and JPEG folders, IDX and array files, as grey or RGB levels or as bits."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from chainrule.batch import Array, Rows
from chainrule.data.encodings.base import Encoding
from chainrule.data.encodings.conditions import Classes
from chainrule.data.encodings.data_set import DataSet
from chainrule.data.examples.arrays import ArrayExamples
from chainrule.data.examples.base import Examples
from chainrule.data.examples.division import Division, Part, check_same_shape, three_parts
from chainrule.data.examples.levels import DrawnBits, StoredLevels, check_levels, to_grey, to_levels
from chainrule.data.examples.splits import DEFAULT, SPLITS, WAYS, Split, parse_shares
from chainrule.data.examples.stored import Progress, is_stored, take
from chainrule.data.sources.array_files import array_parts, as_integers
from chainrule.data.sources.idx import idx_parts, is_idx
from chainrule.data.sources.image_folder import folder_parts, picture_names, png_bytes
from chainrule.data.sources.objects import Source, as_source
from chainrule.data.sources.picture_files import Pictures
from chainrule.domain import Domain
from chainrule.errors import InputError, unknown_name

__all__ = ["ImageEncoding", "load_images"]

BINARIZATIONS = ("threshold", "fixed", "dynamic")


@dataclass(frozen=True)
class ImageEncoding(Encoding):
    """Images of grey values 0..255 as levels in raster order, channels innermost.

    layout: the layout (H, W) or (H, W, 3) and the number of levels.
    binarize: None for the levels of `to_levels`; "fixed" or "dynamic" for bits drawn with p = grey / 255.
    conditions: the classes where the label is given; None for p(x).
    pictures: how files of pictures are read.
    """

    layout: Domain
    binarize: str | None = None
    conditions: Classes | None = None
    pictures: Pictures = field(default_factory=Pictures)
    kind: ClassVar[str] = "image"
    is_image: ClassVar[bool] = True
    picture_levels: ClassVar[int] = 256
    file_endings: ClassVar[tuple[str, ...]] = (".png", ".npy", "")

    @property
    def domain(self) -> Domain:
        return self.layout

    def encode(self, source: Source) -> Examples:
        parts = self.encode_parts(source)
        return next(parts[name] for name in ("test", "", *parts) if name in parts)

    def encode_parts(self, source: Source) -> dict[str, Examples]:
        source = as_source(source)
        parts = image_parts(source, self.pictures)
        return {name: self.examples(part, f"{source} {name}".strip(), 2) for name, part in parts.items()}

    def example_names(self, source: Source) -> dict[str, list[str]]:
        folder = as_source(source)
        return picture_names(str(folder), self.pictures.reader) if _is_folder(folder) else {}

    def examples(self, part: Part, what: str, key: int) -> Examples:
        """Examples from images (N, *shape) and labels; `key` is that of the draws, if bits are drawn."""
        grey, labels = part
        if grey.shape[1:] != self.domain.shape:
            found, expected = ("x".join(map(str, side)) for side in (grey.shape[1:], self.domain.shape))
            raise InputError(f"{what}: the images are {found}, expected {expected}; bring them to that size")
        context = None if self.conditions is None else self.conditions.encode(labels, what)
        if self.binarize is not None:
            return DrawnBits(grey, context, key, fresh=self.binarize == "dynamic" and key == 0)
        if is_stored(grey):
            return StoredLevels(grey, self.levels, context)
        return ArrayExamples(to_levels(grey.reshape(len(grey), self.domain.length), self.levels), context)

    @property
    def levels(self) -> int:
        """L, the number of levels."""
        return self.domain.num_symbols or 2

    def decode(self, x: Array) -> Array:
        """Grey values 0..255 in the layout of the image, (n, *shape); encoded again they are the same elements."""
        return to_grey(x.reshape(len(x), *self.domain.shape), self.levels)

    def write_folder(self, raw: Array) -> dict[str, bytes]:
        """A PNG file for each image of grey values, by its name in a folder."""
        return {f"{n:06d}.png": png_bytes(image) for n, image in enumerate(raw)}

    def to_json(self) -> dict[str, Any]:
        names = None if self.conditions is None else self.conditions.to_json()
        fields = {"kind": self.kind, "domain": self.domain.to_json(), "binarize": self.binarize, "classes": names}
        return fields if self.pictures.reader == 1 else fields | {"pictures": asdict(self.pictures)}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> ImageEncoding:
        classes = None if fields["classes"] is None else Classes(tuple(fields["classes"]))
        pictures = Pictures(**fields.get("pictures", {"reader": 1}))
        return cls(Domain.from_json(fields["domain"]), fields["binarize"], classes, pictures)


def _is_folder(source: Source) -> bool:
    """Whether a source is a folder of picture files, or one of them."""
    return isinstance(source, str) and Path(source).suffix.lower() not in (".npy", ".npz") and not is_idx(Path(source))


def image_parts(source: Source, pictures: Pictures, progress: Progress | None = None) -> dict[str, Part]:
    """Images of bytes (N, H, W) or (N, H, W, 3) and their labels by split, from files or an object."""
    if _is_folder(source):
        parts = folder_parts(source, pictures, progress)
    elif isinstance(source, str) and Path(source).suffix.lower() not in (".npy", ".npz"):
        parts = idx_parts(source)
    else:
        parts = array_parts(source)
    grey = {}
    for name, (x, labels) in parts.items():
        what = f"{source} {name}".strip()
        if x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[3] not in (1, 3)):
            raise InputError(
                f"{what}: the array has the shape {x.shape}, expected (N, H, W) or (N, H, W, 3); reshape it"
            )
        x = x if x.dtype == np.uint8 else _bytes(x, what)
        grey[name] = (x[..., 0] if x.ndim == 4 and x.shape[3] == 1 else x, labels)
    check_same_shape(grey, str(source))
    return grey


def _bytes(x: Array, what: str) -> Array:
    """Grey values of any type as bytes."""
    whole = as_integers(x, what)
    low, high = int(whole.min()), int(whole.max())
    if x.dtype == np.bool_ or low < 0 or high > 255:
        raise InputError(f"{what}: holds {x.dtype} from {low} to {high}, expected grey values 0..255; convert it")
    return whole.astype(np.uint8)


def load_images(
    source: Source,
    *,
    levels: int | None = None,
    binarize: str | None = None,
    given: str | None = None,
    split: str | None = None,
    split_seed: int = 0,
    reader: int = 2,
    progress: Progress | None = None,
) -> DataSet:
    """Images from a folder of PNG/JPEG, from IDX files (with their pair train/t10k), or from an array file of bytes.

    source: a folder, a file, or an object.
    levels: L equal steps of the values, of 8 or 16 bits; None for 256 of 8 bits, or for 2 with `binarize`.
    binarize: "threshold" at 128; "fixed", bits drawn once with p = grey/255; "dynamic", bits drawn anew in every epoch
        of training, while validation and test keep one draw; None for levels.
    given: "label", to model p(x | label).
    split: how a source without splits is divided, see `Split`; None for distinct:80/10/10.
    split_seed: key of a random split.
    reader: version of the reader of pictures; 1 reads as the first versions did.
    progress: shows the number of images that were prepared; None shows nothing.
    """
    pictures = Pictures(None if binarize in ("fixed", "dynamic") else levels, reader)
    asked, levels = levels, _levels(source, levels, binarize)
    if given not in (None, "label"):
        raise InputError(f"{source}: only the label of an image can be given, got {given!r}; use --given label")
    divided_by = Split.parse(split, "distinct", split_seed)
    read = image_parts(source, pictures, progress)
    shape = next(iter(read.values()))[0].shape[1:]
    if binarize is not None and len(shape) == 3:
        raise InputError(f"{source}: only grey images are binarized, these have {shape[2]} channels; use --levels 2")
    labels = [labels for _, labels in read.values() if labels is not None]
    classes = Classes.of(np.concatenate(labels)) if labels else None
    if given and classes is None:
        raise InputError(f"{source}: has no labels to condition on; put images into class folders, or omit --given")
    division = _three_parts(source, read, divided_by)
    drawn = binarize if binarize in ("fixed", "dynamic") else None
    encoding = ImageEncoding(Domain(shape, levels, ordinal=levels > 2), drawn, classes if given else None, pictures)
    train, valid, test = (encoding.examples(part, f"{source} {SPLITS[k]}", k) for k, part in enumerate(division.parts))
    sizes = [len(part) for part in (train, valid, test)]
    note = f"{_note(encoding, sum(sizes), classes)}; {division.how}: {'/'.join(map(str, sizes))}"
    options: dict[str, Any] = {"levels": asked if reader > 1 else levels, "binarize": binarize}
    options |= {"given": given, "reader": reader} | divided_by.options
    return DataSet(str(source), encoding, train, valid, test, note, options, division.unit)


def _three_parts(source: Source, parts: dict[str, Part], split: Split) -> Division:
    """Train, valid and test; where a folder has train and valid alone, a sixth of train is held out as test."""
    if set(parts) == {"valid", "test"}:
        raise InputError(f"{source}: holds valid and test but no train; add what is missing")
    if set(parts) != {"train", "valid"} or parse_shares(split.shares)[2] == 0:
        return three_parts(parts, split)
    x, y = parts["train"]
    rows, way = x.reshape(len(x), -1), "random" if split.way == "random" else "distinct"
    at_random = replace(split, shares=DEFAULT)
    held = at_random.without_valid(rows) if way == "random" else _sixth_by_content(rows)
    train, test = ((take(x, part), None if y is None else y[part]) for part in held)
    how = f"split as given, test is a sixth of train {WAYS[way]}, since none is given"
    return Division([train, parts["valid"], test], how)


def _sixth_by_content(rows: Array) -> list[Rows]:
    """The numbers of the rows that stay, and of a sixth whose hashes are the largest; equal rows stay together."""
    hashes = [blake2b(bytes(row), digest_size=8).digest() for row in rows]
    border = sorted(hashes)[-max(1, round(len(hashes) / 6))]
    is_cached = np.array([place >= border for place in hashes])
    return [np.flatnonzero(~is_cached), np.flatnonzero(is_cached)]


def _levels(source: Source, levels: int | None, binarize: str | None) -> int:
    """The number of levels that the options ask for."""
    if binarize is not None and binarize not in BINARIZATIONS:
        raise unknown_name("binarization", binarize, BINARIZATIONS)
    if binarize is not None and levels not in (None, 2):
        raise InputError(f"{source}: binarized images have 2 levels, got {levels}; leave out --levels or --binarize")
    return check_levels(levels if levels is not None else 256 if binarize is None else 2)


def _note(encoding: ImageEncoding, count: int, classes: Classes | None) -> str:
    """What the images are, in one phrase."""
    shape = encoding.domain.shape
    bits = {
        None: "",
        "fixed": ", bits drawn once",
        "dynamic": ", bits drawn anew each epoch, one draw for valid and test",
    }
    return (
        f"{count} {'grey' if len(shape) == 2 else 'RGB'} images of {'x'.join(map(str, shape[:2]))} "
        f"pixels, {encoding.levels} levels{bits[encoding.binarize]}"
        f"{f', {len(classes.names)} classes' if classes else ''}{' (given)' if encoding.conditions else ''}"
    )
