"""What the header of an archive has to say, by kind of value; whatever lacks it is damaged."""

from __future__ import annotations

from typing import Any

from chainrule.coding.groups import Archive
from chainrule.errors import DamagedArchive

__all__ = ["GENERAL", "checked"]

GENERAL = ("xz", "bz2", "deflate", "stored")  # ways of a file that no model codes

Form = dict[str, Any]
SOURCE: Form = {"name": str}
OF_FILE: Form = {"way": str, "source": SOURCE | {"bytes": int, "sha256": str}}
OF_COUNTS: Form = {
    "way": str,
    "profile": str,
    "source": SOURCE | {"bytes": int, "sha256": str},
    "arranged": str,
    "sequences": int,
}
OF_MODEL: Form = {
    "way": str,
    "profile": str,
    "model": {"place": str, "sha256": str, "order": int},
    "source": SOURCE,
    "arranged": str,
    "layout": {
        "lanes": int,
        "window": int,
        "stride": int,
        "longest": int,
        "real": bool,
        "portable": bool,
        "anchors": list,
    },
    "sequences": int,
    "per_group": int,
    "told": bool,
    "given": bool,
    "machine": {"threads": int},
    "canary": str,
}


def checked(archive: Archive) -> Archive:
    """The archive itself; raises DamagedArchive where its header lacks something, or has it in another form.

    >>> from chainrule.coding.groups import Archive
    >>> checked(Archive({"way": "xz", "source": {"name": "a", "bytes": 1, "sha256": ""}}, ())).header["way"]
    'xz'
    """
    way = archive.header.get("way")
    if way not in (*GENERAL, "counts", "model", "self-contained"):
        raise DamagedArchive(f"the header names the way {str(way)[:40]!r}; the archive is damaged, or update chainrule")
    _check(archive.header, OF_FILE if way in GENERAL else OF_COUNTS if way == "counts" else OF_MODEL, "")
    return archive


def _check(value: Form, form: Form, path: str) -> None:
    for name, kind in form.items():
        found, wanted = value.get(name), dict if isinstance(kind, dict) else kind
        if type(found) is not wanted:
            raise DamagedArchive(f"the header does not say {path}{name}; the archive is damaged, fetch it again")
        if isinstance(kind, dict):
            _check(value[name], kind, f"{path}{name}.")
