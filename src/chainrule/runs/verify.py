"""The certificate of a run: what is verified before a fit, what stands in `certificate.json`."""

from __future__ import annotations

from pathlib import Path

from chainrule.atomic_files import write_json
from chainrule.errors import InputError
from chainrule.models.order_mixture import Density
from chainrule.verification.certificate.check import Certificate
from chainrule.verification.certificate.verify import verify
from chainrule.verification.laws import randomised

__all__ = ["refuse_if_failed", "stop_at_a_leak", "write_certificate"]


def stop_at_a_leak(model: Density) -> Certificate:
    """Verify a model before it is fitted, quickly; raises InputError if a check fails.

    A copy with its weights moved at random is verified, since many parts start at weights through which nothing leaks.
    """
    certificate = verify(randomised(model, scale=0.05), quick=True)
    refuse_if_failed(certificate)
    return certificate


def refuse_if_failed(certificate: Certificate) -> None:
    """Raise InputError if a check failed, with the first failed check."""
    if certificate.failed:
        first = certificate[certificate.failed[0]]
        raise InputError(f"the model has no likelihood: {first.name}, {first.where}; {first.advice}")


def write_certificate(path: Path, certificate: Certificate) -> None:
    """Write `certificate.json` into the run directory at a path."""
    try:
        write_json(path / "certificate.json", certificate.to_json())
    except OSError as error:
        raise InputError(f"{path}: the certificate cannot be written ({error.strerror}); make room") from None
