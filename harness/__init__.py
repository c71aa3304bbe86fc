"""Benchmark harness and results database for quantized models."""

from __future__ import annotations

__version__ = "0.1.0"
