"""Bundles: all that a machine without a network needs to run sweeps, in pieces; and what a sweep fetches from a network."""

from __future__ import annotations
