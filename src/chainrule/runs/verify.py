"""The certificate of a run: what is verified before a fit."""

from __future__ import annotations

from chainrule.errors import InputError
from chainrule.models.base import Model
from chainrule.verification.certificate.check import Certificate
from chainrule.verification.certificate.verify import verify
from chainrule.verification.laws import randomised

__all__ = ["refuse_if_failed", "stop_at_a_leak"]


def stop_at_a_leak(model: Model) -> Certificate:
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
