"""UTF-8, decoded with an error that names the first wrong byte."""

from __future__ import annotations

from chainrule.errors import InputError

__all__ = ["as_text"]


def as_text(raw: bytes, what: str) -> str:
    """The text of UTF-8 bytes; `what` names it in errors."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{what}: is not UTF-8 text (byte 0x{raw[error.start]:02x} at {error.start}); "
            "convert it, or use --symbols bytes"
        ) from None
