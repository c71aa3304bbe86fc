"""What is said of an environment that is not here, and of what an adapter that this version lacks would need."""

from __future__ import annotations

from harness.core.seam import Facts

MISSING = "environment '{0}' is not on this machine: harness setup --env {0}"


ANOTHER_SYSTEM = "environment '{}' is for {}, and this machine is not"


NOTHING = Facts(packages={}, system="")
"""Facts for an adapter that this version does not have: it refuses whatever they are."""
