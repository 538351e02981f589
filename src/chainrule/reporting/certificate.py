"""A certificate in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["check_word", "verdict_of", "verdict_style"]


def verdict_of(certificate: Mapping[str, Any]) -> str:
    """The verdict in one line, with the checks that failed or could not be made.

    certificate: the fields of `Certificate.to_json`; those of the versions before have no verdict of their own.

    >>> checks = [{"name": "sampling.step", "passed": True}, {"name": "accounting.total", "passed": None}]
    >>> verdict_of({"passed": True, "checks": checks})
    'all 1 checks passed'
    """
    checks = certificate["checks"]
    made = [check for check in checks if check["passed"] is not None]
    failed = [check["name"] for check in made if not check["passed"]]
    if failed:
        return f"not a likelihood: {len(failed)} of {len(made)} checks failed: {', '.join(failed)}"
    blocked = [check["name"] for check in checks if check.get("blocked")]
    if blocked or not made:
        return f"not verified: {', '.join(blocked) or 'no check'} could not be made"
    return f"all {len(made)} checks passed"


def verdict_style(certificate: Mapping[str, Any]) -> str:
    """How a page shows the verdict: "ok" where all checks passed, otherwise "failed"."""
    return "ok" if verdict_of(certificate).startswith("all ") else "failed"


def check_word(check: Mapping[str, Any]) -> str:
    """The result of one check in one word: ok, failed, skipped or not made."""
    if check.get("blocked"):
        return "not made"
    return {True: "ok", False: "failed", None: "skipped"}[check["passed"]]
