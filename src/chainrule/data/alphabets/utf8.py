"""UTF-8: bytes to text with an error that names the first wrong byte, and text that Python or JSON holds to bytes."""

from __future__ import annotations

from chainrule.errors import InputError

__all__ = ["as_bytes", "as_text"]


def as_text(raw: bytes, what: str) -> str:
    """The text of UTF-8 bytes; `what` names it in errors."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{what}: is not UTF-8 text (byte 0x{raw[error.start]:02x} at {error.start}); "
            "convert it, or use --symbols bytes"
        ) from None


def as_bytes(text: str) -> bytes:
    r"""A text as UTF-8; lone surrogates are what `surrogateescape` made of bytes that are not, or stay what they are.

    >>> as_bytes("\udcff"), as_bytes("\ud800")
    (b'\xff', b'\xed\xa0\x80')
    """
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
