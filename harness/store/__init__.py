"""The results database: facts in, one frame out. `Database` in `harness.store.database` is the only door."""

from __future__ import annotations
