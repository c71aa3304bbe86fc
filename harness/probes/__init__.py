"""Probes: a file per procedure; this is the registry."""

from __future__ import annotations

VERIFY, VERIFY_REFERENCE = "verify", "verify_reference"
"""The probes that hold a float artifact against its model, and that write down what the model computes."""
PROBES = {
    "generation": "harness.probes.generation:PROBE",
    "output_check": "harness.probes.output_check:PROBE",
    "memory": "harness.probes.memory:PROBE",
    "perplexity": "harness.probes.perplexity:PROBE",
    "validation_loss": "harness.probes.validation_loss:PROBE",
    "kl_divergence": "harness.probes.kl_divergence:PROBE",
    "kl_reference": "harness.probes.kl_reference:PROBE",
    "verify": "harness.probes.verify:PROBE",
    "verify_reference": "harness.probes.verify_reference:PROBE",
    "lm_eval": "harness.probes.lm_eval:PROBE",
    "command": "harness.probes.command:PROBE",
    "image": "harness.probes.image:PROBE",
    "image_distance": "harness.probes.image_distance:PROBE",
    "mmlu_modelopt": "harness.probes.mmlu_modelopt:PROBE",
}
