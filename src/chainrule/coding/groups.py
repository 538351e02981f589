"""What an archive consists of: a header and groups, each of which is checked by itself."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from chainrule.errors import DamagedArchive

__all__ = ["ELEMENTS", "LARGEST_HEADER", "MODEL", "SIDE", "Archive", "Group", "damage", "group_of"]

ELEMENTS, SIDE, MODEL = 0, 1, 2  # kinds of groups: elements coded with a model; what none codes; the model itself
LARGEST_HEADER, LARGEST_PLAIN = 1 << 24, 1 << 40  # bytes that a sound archive of ours may have


@dataclass(frozen=True)
class Group:
    """A part of an archive that is decoded by itself.

    kind: ELEMENTS, SIDE or MODEL.
    plain_length: number of bytes of what it stands for.
    digest: their SHA-256.
    code: the compressed bytes.
    """

    kind: int
    plain_length: int
    digest: bytes
    code: bytes

    @classmethod
    def of(cls, kind: int, plain: bytes, code: bytes) -> Group:
        """The group of a plain content and its code."""
        return cls(kind, len(plain), sha256(plain).digest(), code)

    def check(self, plain: bytes, why: str = "the archive is damaged, fetch it again") -> bytes:
        """The plain content itself; raises DamagedArchive where it is not what went in. why: how the error ends."""
        if len(plain) != self.plain_length:
            raise DamagedArchive(f"a group decodes to another length than was compressed; {why}")
        self.check_digest(sha256(plain).digest(), why)
        return plain

    def check_digest(self, digest: bytes, why: str = "the archive is damaged, fetch it again") -> None:
        """Raise DamagedArchive where a SHA-256 is not that of the plain content. why: how the error ends."""
        if digest != self.digest:
            raise DamagedArchive(f"a group decodes to another content than was compressed; {why}")


@dataclass(frozen=True)
class Archive:
    """The header and the groups of an archive, in their order."""

    header: dict[str, Any]
    groups: tuple[Group, ...]

    def of_kind(self, kind: int) -> list[Group]:
        """The groups of one kind, in their order."""
        return [group for group in self.groups if group.kind == kind]


def group_of(kind: int, plain_length: int, digest: bytes, code: bytes, what: str) -> Group:
    """A group that was read; raises DamagedArchive for one that we do not write. what: how errors call it."""
    if kind not in (ELEMENTS, SIDE, MODEL) or plain_length > LARGEST_PLAIN:
        raise damage(what, "its head cannot be read")
    return Group(kind, plain_length, digest, code)


def damage(what: str, why: str) -> DamagedArchive:
    """The error of an archive that is not as we wrote it."""
    return DamagedArchive(f"{what}: is damaged: {why}; fetch it again")
