"""All rules, by name, in the order of their documentation."""

from __future__ import annotations

from types import MappingProxyType

from harness.lint.rules.baselines import BASELINE_MISSING, HIDDEN_BASELINE
from harness.lint.rules.bold import BOLD_NOT_BEST
from harness.lint.rules.derived import (
    DERIVED_VALUE,
    IMPROVEMENT_CONVENTION,
    LATENCY_TIMES_THROUGHPUT,
    POINTS_AS_PERCENT,
)
from harness.lint.rules.formats import MIXED_FORMAT, UNIT_MISSING
from harness.lint.rules.shape import DUPLICATE_ROW, MALFORMED_TABLE
from harness.lint.rules.versions import CONFIGURATION_VERSIONS

RULES = MappingProxyType(
    {
        rule.name: rule
        for rule in (
            MALFORMED_TABLE,
            DERIVED_VALUE,
            IMPROVEMENT_CONVENTION,
            POINTS_AS_PERCENT,
            LATENCY_TIMES_THROUGHPUT,
            BASELINE_MISSING,
            HIDDEN_BASELINE,
            DUPLICATE_ROW,
            MIXED_FORMAT,
            UNIT_MISSING,
            CONFIGURATION_VERSIONS,
            BOLD_NOT_BEST,
        )
    }
)
