"""The laws that every part obeys, for the authors of new ones: `check_network`, `check_head`, `check_model`.

Each law is a function that raises `LawBroken` with the worst figure that it found; the `check_...` functions run all
laws of a kind, on a copy whose parameters are randomised first (parts like to start at zero, where a law holds for no
reason).
"""

from chainrule.verification.laws.heads import check_head
from chainrule.verification.laws.law import LawBroken, elements, randomised
from chainrule.verification.laws.models import check_model
from chainrule.verification.laws.networks import check_network

__all__ = ["LawBroken", "check_head", "check_model", "check_network", "elements", "randomised"]
