"""What does not travel."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from tests.fake_machine import Bench
from tests.unit.bundling.conftest import QUICK, make


def test_nothing_of_the_maker_travels(theirs: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = theirs.configs.parent
    monkeypatch.setenv("HF_TOKEN", "hf_planted0123456789")
    monkeypatch.setenv("USER", "planted-user")
    monkeypatch.setattr("socket.gethostname", lambda: "planted-host")
    planted = ("hf_planted0123456789", "planted-user", "planted-host", str(root), str(Path.home()))
    for path in (theirs.configs / "sweeps" / "s.yaml", theirs.configs / "models.yaml", theirs.configs / "texts.yaml"):
        path.write_text(path.read_text("utf-8") + "".join(f"# {word}\n" for word in planted), "utf-8")
    (theirs.configs / "local.yaml").write_text(f"gpu: planted-host\nfolders: {{toy: {root / 'model'}}}\n", "utf-8")
    make(theirs, tmp_path / "bundle", pieces=None)
    for path in (tmp_path / "bundle").rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for word in planted:
            assert word.encode() not in content or len(word) < 6, f"{word} in {path.name}"
            assert word not in path.name


@pytest.mark.parametrize("word", ["hf_planted0123456789", "planted-host", "planted-user"])
def test_a_sweep_that_tells_of_the_maker_is_refused(
    theirs: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_planted0123456789")
    monkeypatch.setenv("USER", "planted-user")
    monkeypatch.setattr("socket.gethostname", lambda: "planted-host")
    theirs.sweep(method="fp32", title=f"Numbers of {word}", probes=QUICK)
    with pytest.raises(HarnessError, match=r"s\.yaml of the bundle would say the (value of HF_TOKEN|name of)"):
        make(theirs, tmp_path / "bundle")
