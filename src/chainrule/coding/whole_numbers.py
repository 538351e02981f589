"""Whole numbers from 0 on as bytes of seven bits each, the lowest first; all but the last byte have the eighth bit."""

from __future__ import annotations

from chainrule.errors import DamagedArchive

__all__ = ["number_bytes", "numbers", "read_length", "read_number", "read_numbers"]


def number_bytes(value: int) -> bytes:
    r"""One number.

    >>> number_bytes(300)
    b'\xac\x02'
    """
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_number(content: bytes, at: int) -> tuple[int, int]:
    """The number that stands at a place, and the place behind it.

    >>> read_number(number_bytes(300), 0)
    (300, 2)
    """
    value = shift = 0
    while at < len(content) and shift < 64:
        byte = content[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at
    raise DamagedArchive("a number is cut off; the archive is damaged, fetch it again")


def numbers(values: list[int]) -> bytes:
    """Many numbers, their count in front.

    >>> read_numbers(numbers([0, 300, 7]), 0)
    ([0, 300, 7], 5)
    """
    return b"".join(map(number_bytes, (len(values), *values)))


def read_numbers(content: bytes, at: int) -> tuple[list[int], int]:
    """The numbers that stand from a place on, and the place behind them."""
    count, at = read_number(content, at)
    if count > len(content):
        raise DamagedArchive("a list of numbers is longer than the archive, which is damaged; fetch it again")
    values: list[int] = []
    for _ in range(count):
        value, at = read_number(content, at)
        values.append(value)
    return values, at


def read_length(content: bytes) -> tuple[int, int]:
    """The number that stands alone at the beginning, as `numbers([length])` has it, and the place behind it."""
    found, at = read_numbers(content, 0)
    if len(found) != 1:
        raise DamagedArchive("a length is missing; the archive is damaged, fetch it again")
    return found[0], at
