"""Registries: adapters by name, each where its record lies; a module is imported when its adapter is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from harness.core.errors import HarnessError
from harness.core.spelling import unknown

Registry = Mapping[str, str]


def load(registry: Registry, what: str, name: str) -> Any:
    """Return the adapter that a registry names, as `"ort-genai": "harness.engines.ort_genai:ENGINE"`.

    Raises: HarnessError for an unknown name, with the nearest right one.
    """
    if name not in registry:
        raise HarnessError(unknown(what, name, registry))
    module, _, attribute = registry[name].partition(":")
    return getattr(importlib.import_module(module), attribute)
