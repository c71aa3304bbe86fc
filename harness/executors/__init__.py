"""Executors start workers: submit, poll, cancel."""

from __future__ import annotations
