"""Whether a `config.json` has the form that a run is read by; what is inside of its parts, each part checks itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["damage_of"]

TEXT, TABLE = "a text", "an object"
OF = {TEXT: str, TABLE: dict}
FORM: dict[tuple[str, ...], str] = {
    ("data",): TABLE,
    ("data", "name"): TEXT,
    ("data", "options"): TABLE,
    ("data", "encoding"): TABLE,
    ("data", "encoding", "kind"): TEXT,
    ("data", "note"): TEXT,
    ("data", "sha256"): TEXT,
    ("protocol",): TABLE,
    ("model",): TABLE,
    ("model", "network"): TABLE,
    ("model", "network", "name"): TEXT,
    ("model", "head"): TABLE,
    ("model", "head", "name"): TEXT,
}
OPTIONAL: dict[tuple[str, ...], str] = {
    ("training",): TABLE,
    ("versions",): TABLE,
    ("machine",): TABLE,
    ("asked",): TABLE,
}
OPTIONAL |= {("asked", "options"): TABLE, ("imported",): TABLE}


def damage_of(config: Mapping[str, Any], *, missing: bool = True) -> str | None:
    """What is wrong with the content of a `config.json`, in words; None where it has the right form.

    config: the content. missing: whether it is damage that something is not there.

    >>> damage_of({"data": []})
    'data is a list, expected an object'
    """
    for place, wanted in (FORM | OPTIONAL).items():
        value: Any = config
        for name in place:
            value = value.get(name) if isinstance(value, Mapping) else None
        if value is None and (place in OPTIONAL or not missing):
            continue
        if not isinstance(value, OF[wanted]):
            found = "missing" if value is None else f"a {type(value).__name__}"
            return f"{'.'.join(place)} is {found}, expected {wanted}"
    return None
