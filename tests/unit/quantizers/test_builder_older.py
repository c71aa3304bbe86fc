"""The model builder up to 0.13, which DirectML still has: how it is called, and what it cannot do."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from harness.core.seam import Facts
from harness.quantizers.ort_genai import refuse
from harness.quantizers.ort_genai_older import read_options
from harness.quantizers.ort_genai_options import OrtGenaiOptions
from harness.reference import model_folder

FOLDERS = (str(model_folder()), "out", "int4", "dml", "cache")


def test_an_older_builder_gets_its_own_names_and_the_configuration_comes_from_transformers() -> None:
    def parse(kv_items: list[str], execution_provider: str) -> dict[str, Any]:
        return {"options": kv_items, "provider": execution_provider}

    parsed, config = read_options(
        parse, FOLDERS, ["algo_config=rtn", "block_size=64", "use_qdq=true", "hf_remote=false"]
    )
    assert parsed == {
        "options": ["int4_algo_config=rtn", "int4_block_size=64", "use_qdq=true", "hf_remote=false"],
        "provider": "dml",
    }
    assert config.architectures == ["LlamaForCausalLM"]


def test_the_builder_that_is_here_is_called_as_it_wants() -> None:
    from onnxruntime_genai.models.builder import parse_extra_options

    assert len(inspect.signature(parse_extra_options).parameters) == 7

    def parse(*given: Any) -> dict[str, Any]:
        return {"given": given, "hf_details": {"hf_config": "config"}}

    def seven(a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any) -> dict[str, Any]:
        return parse(a, b, c, d, e, f, g)

    assert read_options(seven, FOLDERS, ["algo_config=rtn"]) == (parse("", *FOLDERS, ["algo_config=rtn"]), "config")


@pytest.mark.parametrize(
    ("version", "options", "why"),
    [
        ("0.13.1", {"precision": "fp16", "provider": "dml"}, None),
        ("0.13.1", {"precision": "int4", "provider": "dml", "algo_config": "rtn", "block_size": 64}, None),
        ("0.13.1", {"precision": "int8", "provider": "cpu"}, "onnxruntime-genai 0.13.1 has no precision int8"),
        ("0.13.1", {"precision": "int4", "matmul_mixed_precision": "last_matmul:int8"}, "has no option matmul_mixed_precision"),
        ("0.15.2", {"precision": "int8", "provider": "cpu"}, None),
        ("", {"precision": "int8", "provider": "cpu"}, "onnxruntime-genai is not installed"),
    ],
)  # fmt: skip
def test_what_an_older_builder_lacks_is_refused_while_planning(
    version: str, options: dict[str, Any], why: str | None
) -> None:
    packages = {"torch": "2.13.0", "transformers": "4.57.6"} | (
        {"onnxruntime-genai-directml": version} if version else {}
    )
    said = refuse(OrtGenaiOptions.model_validate(options), Facts(packages, "Windows 11"))
    assert said is None if why is None else said is not None and why in said
