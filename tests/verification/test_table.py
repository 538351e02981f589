"""The table of checks is what is run, what is printed and what the documentation shows."""

from copy import deepcopy
from pathlib import Path

import torch

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv, OrderMixture
from chainrule.models.permuted import random_orders
from chainrule.verification.certificate.table import CHECKS, ORDER_CHECKS, description, markdown
from chainrule.verification.certificate.verify import verify

DOCS = Path(__file__).parents[2] / "docs"
MODEL = AutoregressiveModel(CausalConv(3, 4, 8), CategoricalHead(8, 3))


def test_both_forms_make_the_checks_of_the_table_in_its_order():
    assert [check.name for check in verify(MODEL).checks] == [row.name for row in CHECKS]
    quick = [row.name for row in CHECKS if row.quick]
    assert [check.name for check in verify(MODEL, quick=True).checks] == quick


def test_a_mixture_over_orders_adds_the_checks_of_its_table():
    mixture = OrderMixture([MODEL, deepcopy(MODEL)], random_orders(4, 2))
    names = [row.name for row in CHECKS if row.name != "accounting.examples"]
    expected = [*names, *(row.name for row in ORDER_CHECKS), "accounting.examples"]
    assert [check.name for check in verify(mixture).checks] == expected


def test_names_are_short_enough_for_a_terminal_and_unique():
    names = [row.name for row in (*CHECKS, *ORDER_CHECKS)]
    assert len(set(names)) == len(names)
    assert max(map(len, names)) <= 27


def test_the_documentation_shows_the_table():
    assert markdown() in (DOCS / "report.md").read_text(), "put markdown() of the table of checks into docs/report.md"


def test_a_check_that_is_unknown_has_no_description():
    assert description("orders.mean").startswith("ln p is ln of the mean")
    assert description("of a later version") == ""


def test_only_what_differentiates_has_gradients():
    assert [row.name for row in CHECKS if row.gradients] == ["causality.gradient"]
    assert torch.is_grad_enabled()
