from __future__ import annotations

from pathlib import Path

import pytest

from harness import host
from harness.core.outcome import Gpu


def test_an_environment_names_packages_machine_and_harness() -> None:
    found = host.environment("cpu")
    assert found.name == "cpu"
    assert found.packages["numpy"].split(".")[0].isdigit()
    assert found.cores >= 1
    assert found.memory_bytes > 1 << 28
    assert len(found.machine_id) == 12
    assert found.machine_id == host.machine_id()
    assert host.facts(found).packages == found.packages
    assert found.harness[0].isdigit()


def test_a_package_from_a_repository_is_known_by_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "a_fork-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: a_fork\nVersion: 1.0\n")
    (info / "direct_url.json").write_text('{"url": "x", "vcs_info": {"vcs": "git", "commit_id": "0123456789abcdef"}}')
    monkeypatch.syspath_prepend(str(tmp_path))
    assert host.packages()["a-fork"] == "1.0@0123456789ab"


def test_package_identity_keeps_the_build_and_leaves_out_what_is_absent() -> None:
    from harness.core.seam import Facts
    from harness.plan.keys import package_identity

    there = Facts({"torch": "2.13.0+cpu", "bitsandbytes": "0.45.0@abc"}, "Linux")
    assert package_identity(["torch", "BitsAndBytes", "nothing"], there) == {
        "bitsandbytes": "0.45.0@abc",
        "torch": "2.13.0+cpu",
    }


def test_the_highest_compute_capability_of_its_gpus_is_what_planning_knows() -> None:
    there = host.environment("cpu")
    gpus = (Gpu(name="B200", compute="10.0"), Gpu(name="L4", compute="8.9"), Gpu(name="unknown"))
    for order in (gpus, gpus[::-1]):
        found = host.facts(there.model_copy(update={"gpus": order}))
        assert (found.compute, found.compute_gpu) == ((10, 0), "B200")
    assert host.facts(there.model_copy(update={"gpus": gpus[2:]})).compute is None


def test_any_edited_or_added_python_file_makes_other_code_of_the_same_version(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.py").write_text("x = 1\n")
    (tmp_path / "c.txt").write_text("no code")
    known = [host.code_digest_of(tmp_path)]
    (tmp_path / "c.txt").write_text("still none")
    assert host.code_digest_of(tmp_path) == known[0]
    (tmp_path / "a" / "b.py").write_text("x = 2\n")
    known.append(host.code_digest_of(tmp_path))
    (tmp_path / "new.py").write_text("")
    known.append(host.code_digest_of(tmp_path))
    (tmp_path / "new.py").rename(tmp_path / "newer.py")
    known.append(host.code_digest_of(tmp_path))
    assert len(set(known)) == 4
    assert host.code_digest() == host.code_digest_of(Path(host.__file__).parent)
