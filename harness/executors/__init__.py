"""Executors: a file per way to run batches; this is the registry, of functions from `record.Asked` to `record.Executor`."""

from __future__ import annotations

EXECUTORS = {
    "local": "harness.executors.local:open_local",
    "folder": "harness.executors.folder:open_folder",
}
