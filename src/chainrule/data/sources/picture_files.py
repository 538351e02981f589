"""One picture file as grey or RGB bytes: what it holds is decided by its header, never by its ending."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from chainrule.batch import Array
from chainrule.data.examples.levels import to_grey
from chainrule.errors import InputError

__all__ = ["FOREIGN", "MOST_PIXELS", "PICTURES", "Pictures"]

PICTURES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".tif", ".tiff", ".webp", ".apng"),
    *(".pgm", ".ppm", ".pbm", ".pnm"),
)
FOREIGN = {  # pictures that are not read, by their endings
    **dict.fromkeys((".heic", ".heif", ".hif"), "a HEIC picture"),
    **dict.fromkeys((".avif", ".avifs"), "an AVIF picture"),
    **dict.fromkeys((".jp2", ".j2k", ".jpx", ".jxl"), "a JPEG 2000 or JPEG XL picture"),
    **dict.fromkeys((".svg", ".eps", ".ai"), "a drawing of lines"),
    **dict.fromkeys((".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf"), "a raw photograph"),
    **dict.fromkeys((".psd", ".xcf", ".kra"), "a picture in layers"),
    **dict.fromkeys((".exr", ".hdr", ".pfm"), "a picture of floating-point numbers"),
    **dict.fromkeys((".dcm", ".nii"), "a medical picture"),
    **dict.fromkeys((".ico", ".tga", ".pcx", ".icns"), "a picture of a rare format"),
}
FORMATS = ("PNG", "JPEG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "PPM")
MOVING = ("PNG", "GIF", "TIFF", "WEBP")  # what may have several frames; those of MPO are previews of a photograph
MOST_PIXELS = 2**24
CHANNELS = {"1": 1, "L": 1, "LA": 1, "I;16": 1, "I;16B": 1, "I;16L": 1, "P": 3, "PA": 3, "RGB": 3, "RGBA": 3}
WORDS = {  # other modes in words, and what to do
    "CMYK": ("colours of print (CMYK)", "convert it to RGB with its colour profile"),
    "F": ("32-bit floating-point values", "scale them to 0..255, or write them as an array (.npy)"),
    "I": ("32-bit values", "scale them to 0..255, or write them as an array (.npy)"),
    "LAB": ("Lab colours", "convert it to RGB"),
}
DEEPER = "keep the high bits with --levels 256 (or fewer levels), or convert it to 8 bits"


def _pillow() -> ModuleType:
    """The `PIL.Image` module, imported on first use."""
    from PIL import Image

    return Image


@dataclass(frozen=True)
class Pictures:
    """How picture files become bytes.

    levels: the number of levels that was asked for, which says how more than 8 bits become fewer: level = floor(v L /
        65536) of a value of 16 bits; None where such pictures are refused.
    reader: version of the reader; 1 reads PNG and JPEG as the first versions did: the orientation that a camera wrote
        is ignored, and 16 bits per colour are cut.
    """

    levels: int | None = None
    reader: int = 2

    def read(self, file: Path) -> Array:
        """Bytes (H, W) or (H, W, 3): one bit as 0 and 255, palettes as RGB, as it is looked at (its EXIF orientation).

        Raises InputError, naming the file, for one that is no picture, is damaged, moves, has transparent pixels, more
        than 8 bits per value (unless `levels` says what becomes of them) or more than 2^24 pixels.
        """
        image_module = _pillow()
        self._check_ending(file)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.simplefilter("error", image_module.DecompressionBombWarning)
                formats = FORMATS if self.reader > 1 else ("PNG", "JPEG")
                # from an open file: of a path, pillow 13 maps a TIFF into memory and garbles one that is turned
                with file.open("rb") as content, image_module.open(content, formats=formats) as image:
                    return self.of_image(file, image)
        except InputError:
            raise
        except (image_module.DecompressionBombWarning, image_module.DecompressionBombError):
            raise InputError(f"{file}: has more than {MOST_PIXELS} pixels; is it a bomb? remove it") from None
        except image_module.UnidentifiedImageError:
            raise self._unidentified(file) from None
        except FileNotFoundError:
            raise InputError(f"{file}: there is no such file; check the path") from None
        except Exception as error:  # a damaged file may break a decoder in any way
            raise InputError(f"{file}: the image is damaged ({error}); fetch it again") from None

    def _check_ending(self, file: Path) -> None:
        ending = file.suffix.lower()
        if ending in FOREIGN:
            raise InputError(f"{file}: is {FOREIGN[ending]}, which is not read; convert it to PNG, or remove it")
        if ending not in (PICTURES if self.reader > 1 else (".png", ".jpg", ".jpeg")):
            raise InputError(f"{file}: is neither .png nor .jpg; move it out of the folder of images")

    def _unidentified(self, file: Path) -> InputError:
        if file.stat().st_size == 0:
            return InputError(f"{file}: is empty; fetch it again, or remove it")
        return InputError(f"{file}: is not a PNG or JPEG inside; remove it, or write it again")

    def of_image(self, file: Path | str, image: Any) -> Array:
        """The same of a picture that pillow holds.

        file: what it is called in messages.
        image: of pillow, perhaps not yet unpacked.
        """
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise InputError(f"{file}: has {width}x{height} pixels, more than {MOST_PIXELS}; is it a bomb? remove it")
        mode = image.mode
        if self.reader == 1:
            if mode not in ("1", "L", "P", "RGB", "RGBA"):
                raise InputError(f"{file}: has the mode {mode}, expected 8-bit grey or RGB; convert it")
            if mode == "RGBA" and image.getextrema()[3] != (255, 255):
                raise InputError(f"{file}: has transparent pixels; put it on a background first")
            return np.asarray(image.convert("L" if CHANNELS[mode] == 1 else "RGB"))
        bits = self._check_header(file, image)
        image = _upright(image)
        if bits > 8:
            return self._of_16_bits(file, image)
        _refuse_transparent(file, image)
        return np.asarray(image.convert("L" if CHANNELS[mode] == 1 else "RGB"))

    def _check_header(self, file: Path | str, image: Any) -> int:
        """Refuse by what the header says, before any pixel is unpacked; the number of bits per value."""
        frames = image.n_frames if image.format in MOVING else 1
        if frames > 1:
            kind = "pages" if image.format == "TIFF" else "frames"
            raise InputError(f"{file}: has {frames} {kind}, expected one picture; write each as a file of its own")
        bits = _bits(image)
        if image.mode not in CHANNELS and not (image.mode == "I" and image.format == "PPM"):
            held, remedy = WORDS.get(image.mode, (f"the mode {image.mode}", "convert it to 8-bit grey or RGB"))
            raise InputError(f"{file}: has {held}, expected 8-bit grey or RGB; {remedy}")
        if bits > 8 and self.levels is None:
            raise InputError(f"{file}: has {bits} bits per value (mode {image.mode}), expected 8; {DEEPER}")
        return bits

    def _of_16_bits(self, file: Path | str, image: Any) -> Array:
        """Values of 16 bits in L levels, as the grey values that have these levels."""
        levels = self.levels or 256
        if image.mode in ("RGB", "RGBA", "LA"):  # what is at hand are the 8 high bits of each value
            if 256 % levels:
                raise InputError(
                    f"{file}: has 16 bits per colour, whose 8 high bits are read; take --levels 256, 128, 64, ... or 2"
                )
            _refuse_transparent(file, image)
            return np.asarray(image.convert("L" if image.mode == "LA" else "RGB"))
        values = np.asarray(image).astype(np.int64)
        return to_grey(values * levels // 65536, levels)


def _bits(image: Any) -> int:
    """Bits per value as the file has them: pillow cuts colours of 16 bits to 8."""
    if image.format == "PNG" and image.fp is not None:
        position = image.fp.tell()
        image.fp.seek(24)
        bits = image.fp.read(1)[0]
        image.fp.seek(position)
        return bits
    if image.format == "TIFF":
        return max(image.tag_v2.get(258, (1,)))
    if image.format == "PPM" and image.tile:
        arguments = image.tile[0][3]
        most = arguments[1] if isinstance(arguments, tuple) and isinstance(arguments[1], int) else 255
        return 8 if most < 256 and image.mode != "I" else 16
    return 16 if image.mode.startswith("I;16") else 8


def _upright(image: Any) -> Any:
    """The picture as it is looked at: turned or mirrored as its EXIF orientation says."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _refuse_transparent(file: Path | str, image: Any) -> None:
    """Refuse pixels that are not wholly opaque, whose colour depends on what is behind them."""
    if image.mode in ("LA", "PA", "RGBA"):
        lowest = image.getchannel("A").getextrema()[0]
    elif "transparency" in image.info:
        lowest = image.convert("RGBA").getchannel("A").getextrema()[0]
    else:
        return
    if lowest < 255:
        raise InputError(f"{file}: has transparent pixels; put it on a background first")
