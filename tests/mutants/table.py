"""All cases of all files, registered in one table: `from tests.mutants.table import CASES`."""

from __future__ import annotations

from tests.mutants import (
    faults,
    faults_accounting,
    faults_attention,
    faults_batches,
    faults_company,
    faults_content,
    faults_data,
    faults_drawing,
    faults_heads,
    faults_numbers,
    faults_orders,
    faults_places,
    faults_prefixes,
    faults_recognised,
    faults_relatives,
    faults_samplers,
    huggingface,
    orders,
    sound_densities,
    sound_house,
    sound_modules,
    sound_numbers,
    sound_relatives,
    sound_user_densities,
    sound_users,
)
from tests.mutants.case import CASES, Case, fault, sound

__all__ = ["CASES", "Case"]

FILES = (
    faults_accounting,
    faults_attention,
    faults_batches,
    faults_company,
    faults_content,
    faults_data,
    faults_drawing,
    faults_heads,
    faults_numbers,
    faults_orders,
    faults_places,
    faults_prefixes,
    faults_recognised,
    faults_relatives,
    faults_samplers,
    huggingface,
    sound_densities,
    sound_house,
    sound_modules,
    sound_numbers,
    sound_relatives,
    sound_user_densities,
    sound_users,
)

KINDS = {
    "causality": "places and modes",
    "normalisation": "heads and scores",
    "invariance": "memory and company",
    "accounting": "accounting",
    "sampling": "samplers",
    "determinism": "memory and company",
    "orders": "orders",
}

for name, (build, options, check) in (faults.FAULTS | orders.FAULTS).items():
    more = {key: value for key, value in options.items() if key != "quick"}
    kind = "data" if check == "accounting.examples" else KINDS[check.split(".")[0]]
    fault(name, kind, **more)(build)
for name, (build, options) in (faults.SOUND | orders.SOUND).items():
    sound(name, "of the house", **{key: value for key, value in options.items() if key != "quick"})(build)
