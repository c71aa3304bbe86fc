"""Benchmark harness and results database for quantized models.

Importing it switches off the telemetry of the libraries that it may load later, in this process and those it starts.
"""

from __future__ import annotations

import os

from harness.core.privacy import silence

__version__ = "0.1.0"

silence(os.environ)
