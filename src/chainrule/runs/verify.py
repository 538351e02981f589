"""The certificate of a run: what is verified before a fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from chainrule.errors import InputError
from chainrule.models.base import Model
from chainrule.verification.certificate.check import Certificate

if TYPE_CHECKING:
    from chainrule.runs.run import Run

__all__ = ["refuse_if_failed", "stop_at_a_leak", "verify", "warning_of"]


def stop_at_a_leak(model: Model) -> Certificate:
    """Verify a model before it is fitted, in the quick form; raises InputError if a check fails.

    A copy with its weights moved at random is verified, since many parts start at weights through which nothing leaks.
    """
    from chainrule.verification.certificate.verify import verify
    from chainrule.verification.laws import randomised

    certificate = verify(randomised(model, scale=0.05), quick=True)
    refuse_if_failed(certificate)
    return certificate


def refuse_if_failed(certificate: Certificate) -> None:
    """Raise InputError if a check failed, with the first failed check."""
    if certificate.failed:
        first = certificate[certificate.failed[0]]
        raise InputError(f"check {first.name} failed: {first.where}; {first.advice}")


def warning_of(certificate: Certificate) -> str:
    """What a run prints about a model that is not verified; "" if all checks passed."""
    if certificate.passed:
        return ""
    reasons = "; ".join(f"{check.name}: {check.tried}" for check in certificate.checks if check.blocked)
    return f"warning: the model is {certificate.verdict}: {reasons or 'no check applies'}; do not compare its figures"


def verify(run: Run, *, quick: bool = False, code: bool = False, moved_to: Path | str | None = None) -> Certificate:
    """Verify that the reported number is a log-likelihood, and write `certificate.json` into the run.

    quick: only the checks that matter most, in under three seconds.
    code: also code and decode draws and examples; the last check.
    moved_to: where the run's own data are now, if they were moved; their hash is checked.
    """
    from chainrule.verification.certificate.verify import verify as verify_model

    run = run.moved(moved_to)
    data, domain = run.data(), run.encoding().domain
    certificate = verify_model(
        run.model(), examples=data.unseen, training=data.train, domain=domain, quick=quick, code=code
    )
    run.write_certificate(certificate.to_json())
    return certificate
