"""What a program that somebody names is told of our surroundings."""

from __future__ import annotations

import pytest

from harness.core import privacy
from harness.core.variables import for_programs, without_secrets


@pytest.mark.parametrize(
    "name",
    [
        "PATH", "Path", "HOME", "LANG", "LC_ALL", "TMPDIR", "HF_HOME", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "TOKENIZERS_PARALLELISM",
        "LD_LIBRARY_PATH", "HARNESS_CACHE", "HARNESS_WORKSPACE", "HARNESS_OFFLINE", "SystemRoot", "https_proxy", "SLURM_JOB_ID",
    ],
)  # fmt: skip
def test_a_program_gets_what_systems_and_libraries_need(name: str) -> None:
    assert for_programs({name: "x"}) == {name: "x"}


@pytest.mark.parametrize("name", [*privacy._SILENT, *privacy._CACHES])
def test_a_program_gets_what_keeps_libraries_to_us(name: str) -> None:
    assert for_programs({name: "x"}) == {name: "x"}


@pytest.mark.parametrize(
    "name",
    ["HF_TOKEN", "VLLM_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_PROFILE", "HARNESS_DB", "KUBECONFIG", "SSH_AUTH_SOCK", "DATABASE_URL", "MY_KEYS", "CUSTOMER"],
)  # fmt: skip
def test_a_program_gets_another_variable_only_where_it_is_named(name: str) -> None:
    assert for_programs({name: "x"}) == {}
    assert for_programs({name: "x", "OTHER": "y"}, [name]) == {name: "x"}


def test_a_proxy_with_a_password_is_kept_back() -> None:
    assert for_programs({"HTTPS_PROXY": "http://me:secret@proxy:3128"}) == {}


def test_secrets_are_told_by_their_names() -> None:
    assert set(without_secrets({"HF_TOKEN": "x", "DB_PASSWORD": "x", "CUSTOMER": "x"})) == {"CUSTOMER"}
