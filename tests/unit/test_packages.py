"""What the wheel is made of."""

from __future__ import annotations

import tomllib

from harness.environments import ROOT


def test_every_package_of_the_tree_is_in_the_wheel() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    ours = {name for name in listed if not name.startswith("harness.shipped")}
    there = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "harness").rglob("*.py")}
    assert there == ours
