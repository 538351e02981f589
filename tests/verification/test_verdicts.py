"""The three verdicts: all checks passed, not a likelihood, not verified; and what leads to each."""

import pytest
import torch

from chainrule import AutoregressiveModel, CategoricalHead, CausalConv, GaussianMixtureHead
from chainrule.reporting.certificate import check_word, verdict_of, verdict_style
from chainrule.runs.verify import refuse_if_failed, warning_of
from chainrule.verification.certificate.check import Certificate, Check, blocked
from chainrule.verification.certificate.verify import verify
from chainrule.verification.laws import randomised


class Raises(torch.nn.Module):
    """A module that takes no elements at all, or none of another length than eight."""

    def __init__(self, always):
        super().__init__()
        self.always, self.table = always, torch.nn.Embedding(5, 5)

    def forward(self, x):
        if self.always or x.shape[1] != 8:
            raise ValueError("only rows of eight, please")
        return torch.nn.functional.pad(self.table(x), (0, 0, 1, 0))[:, :-1].cumsum(1)


def test_a_module_that_raises_is_not_verified_and_not_accused():
    certificate = verify(Raises(always=True), num_symbols=5, length=8, quick=True)
    assert certificate.verdict == "not verified"
    assert (certificate.passed, certificate.failed) == (False, ())
    assert "only rows of eight, please" in certificate.checks[0].tried
    assert certificate.to_json()["verdict"] == "not verified"
    refuse_if_failed(certificate)  # goes on, with a warning
    assert "only rows of eight, please" in warning_of(certificate)


def test_a_module_of_one_length_is_verified():
    certificate = verify(Raises(always=False), num_symbols=5, length=8, quick=True)
    assert certificate.passed, str(certificate)
    assert "only rows of eight" in certificate["causality.truncation"].tried
    assert warning_of(certificate) == ""


def test_the_verdict_of_a_failure_names_no_reason_to_go_on():
    failed = Certificate("a model", (Check("causality.suffix.evaluation", False, "8 elements", where="at x_3"),))
    assert failed.verdict == "not a likelihood"
    assert failed.summary == "not a likelihood: causality.suffix.evaluation"


def test_certificates_of_the_version_before_are_read():
    made = [{"name": "sampling.step", "passed": True}, {"name": "sampling.fits", "passed": None}]
    failed = [*made, {"name": "accounting.total", "passed": False}]
    assert verdict_of({"passed": True, "checks": made}) == "all 1 checks passed"
    assert verdict_of({"passed": False, "checks": failed}).startswith("not a likelihood: 1 of 2")
    assert verdict_style({"passed": True, "checks": made}) == "ok"
    assert [check_word(check) for check in failed] == ["ok", "skipped", "failed"]


def test_a_check_that_could_not_be_made_has_a_word():
    record = Certificate("a model", (blocked("normalisation.steps", "it raises"),)).to_json()
    assert check_word(record["checks"][0]) == "not made"
    assert verdict_of(record) == "not verified: normalisation.steps could not be made"


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_no_fault(dtype):
    model = randomised(AutoregressiveModel(CausalConv(6, 8, 16, depth=2), CategoricalHead(16, 6))).to(dtype)
    certificate = verify(model, quick=True)
    assert certificate.passed, str(certificate)


def test_numbers_far_from_zero_and_narrow_peaks_are_no_fault():
    torch.manual_seed(0)
    model = randomised(AutoregressiveModel(CausalConv(None, 3, 8, depth=1), GaussianMixtureHead(8)), scale=0.05)
    model.initialise(1.7e9 + 40 * torch.randn(200, 3, dtype=torch.float64))
    certificate = verify(model, quick=True)
    assert certificate.passed, str(certificate)
    with torch.no_grad():
        model.head.mixture.linear.bias.view(3, -1)[2].fill_(-6.0)
    assert verify(model, quick=True)["normalisation.support"].passed
