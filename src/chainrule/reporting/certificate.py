"""A certificate in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["verdict_of"]


def verdict_of(certificate: Mapping[str, Any]) -> str:
    """Whether every check that applies was passed, in one line; from the fields of `Certificate.to_json`."""
    made = [check for check in certificate["checks"] if check["passed"] is not None]
    failed = [check["name"] for check in made if not check["passed"]]
    if certificate["passed"]:
        return f"all {len(made)} checks passed"
    return f"{len(failed)} of {len(made)} checks failed: {', '.join(failed)}"
