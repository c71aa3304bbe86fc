"""No import keeps who measured, on which machine, or in which folder."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from harness.formats import kept
from harness.formats.fields import without_folders
from harness.formats.private import is_private, text_of
from harness.importing.import_files import import_files, lines
from tests.unit.importing.files import as_csv, genai, llama, lm_eval, optimum, runs, take, trtllm, values, vllm, write
from tests.unit.importing.test_more_formats import sglang

HOST, USER, SERIAL = "secret-host", "somebody", "1652922012345"
UUID, BUS = "GPU-0f1e2d3c-aaaa-bbbb-cccc-0123456789ab", "00000000:17:00.0"
PLANTED = (HOST, USER, SERIAL, UUID, UUID.removeprefix("GPU-"), BUS, "hunter2")
GPU = f"Example GPU (UUID: {UUID})"
UNAME = f"Linux {HOST} 6.1.0-17-amd64 #1 SMP"
PRIVATE = {
    "hostname": HOST, "host": {"name": f"{HOST}.example.org", "address": f"http://{HOST}:8000/v1"}, "nodeName": HOST, "user": USER,
    "username": USER, "gpu_uuid": UUID, "serial": int(SERIAL), "serial_number": SERIAL, "pci.bus_id": BUS, "pci_bus_id": BUS,
    "cwd": f"/home/{USER}", "token": "hunter2", "cache": f"/home/{USER}/.cache", "home_folder": f"/home/{USER}", "windows": f"C:\\Users\\{USER} b\\c",
    "command": f"ssh {USER}@{HOST}.example.org run --model /home/{USER}/toy --host={HOST} --log ~{USER}/log",
    "label": f"run on {HOST}", "devices": [{"name": GPU, "serial": SERIAL}], "url": f"https://{USER}:hunter2@example.org/x",
}  # fmt: skip
ARGUMENTS = {"pretrained": f"/home/{USER}/toy", "token": "hunter2", "base_url": f"http://{HOST}:8000/v1"}


def flat(name: str, **rest: Any) -> dict[str, Any]:
    return {
        f"{name}{key}": json.dumps(value) if isinstance(value, dict | list) else value for key, value in rest.items()
    }


def planted_genai() -> Any:
    record = genai()
    record["config"] |= {**PRIVATE, "model_info": {"full_name": f"/home/{USER}/toy", **PRIVATE}}
    record["metadata"] |= {**PRIVATE, "platform": UNAME}
    return [record]


def planted_optimum() -> Any:
    record = optimum()
    record["config"]["environment"] |= {**PRIVATE, "platform": UNAME, "gpu": [GPU, GPU]}
    record["config"]["backend"] |= {**PRIVATE, "model": f"/home/{USER}/toy", "hub_kwargs": {"token": "hunter2"}}
    return record


def planted_lm_eval(arguments: Any) -> Any:
    record = lm_eval(**PRIVATE, chat_template=f"/home/{USER}/x", system_instruction=f"You run on {HOST}.")
    record["config"] |= {**PRIVATE, "model_args": arguments, "gen_kwargs": {"user": USER, "stop": [f"/home/{USER}/x"]}}
    record["pretty_env_info"] = record["pretty_env_info"].replace("Example GPU", GPU) + f"Python platform: {UNAME}\n"
    return record


def planted_trtllm() -> Any:
    record = trtllm()
    for section in ("engine", "machine", "world_info", "request_info", "dataset"):
        record[section] |= PRIVATE
    record["machine"]["name"] = GPU
    return record


FILES: dict[str, Any] = {
    "genai.json": planted_genai(),
    "genai.csv": as_csv(
        {"config.batch_size": 2, "metrics.token_generation_throughput_tps": 160.0, "metadata.platform": UNAME, **flat("config.", **PRIVATE)}
    ),
    "benchmark.json": planted_optimum(),
    "results_1.json": planted_lm_eval(ARGUMENTS),
    "results_2.json": planted_lm_eval(f"pretrained=/home/{USER}/toy,token=hunter2,user={USER},base_url=http://{HOST}:8000/v1"),
    "report.json": planted_trtllm(),
    "vllm.json": vllm(
        **PRIVATE | {"label": f"{HOST}, /home/{USER}/x", "tokenizer_id": f"/home/{USER}/toy", "model_id": f"/home/{USER}/toy"}
    ),
    "llama.json": [llama(500, 0, **PRIVATE, gpu_info=GPU, cpu_info=f"Example CPU of {HOST}")],
    "llama.csv": as_csv(llama(500, 0, **flat("", **PRIVATE), gpu_info=GPU)),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_nothing_that_names_a_machine_or_a_person_is_kept(tmp_path: Path, name: str) -> None:
    _nothing_kept(write(tmp_path, name, FILES[name]))


def test_nothing_of_it_is_kept_from_a_configuration_beside_the_file(tmp_path: Path) -> None:
    config = planted_optimum()["config"]
    write(tmp_path, "benchmark_config.json", config)
    _nothing_kept(write(tmp_path, "benchmark_report.json", optimum()["report"]))
    older = {
        "backend": {"name": "pytorch"},
        "model": f"/home/{USER}/toy",
        "environment": {**PRIVATE, "gpus": [GPU]},
        "hydra": PRIVATE,
    }
    write(tmp_path, "hydra_config.yaml", older)
    row = {"forward.latency(s)": 0.5, "forward.throughput(samples/s)": 8.0, **flat("", **PRIVATE)}
    _nothing_kept(write(tmp_path, "inference_results.csv", as_csv(row)))


def _nothing_kept(path: Path) -> None:
    imported = import_files([path], path.parent / "results")
    assert all(gpu.name == "Example GPU" for run in runs(imported) for gpu in run.environment.gpus)
    for outcome in path.parent.glob("results/runs/*/*.json"):
        text = outcome.read_text("utf-8")
        found = [planted for planted in PLANTED if planted in text]
        assert not found, [line for line in text.splitlines() if any(word in line for word in found)]
    assert not [planted for planted in PLANTED if planted in "\n".join(lines(imported))]


def test_what_is_left_out_for_that_is_told_by_its_name(tmp_path: Path) -> None:
    record = optimum()
    record["config"]["environment"] |= {"hostname": HOST, "processor": "x86_64"}
    imported = import_files([write(tmp_path, "benchmark.json", record)], tmp_path / "results")
    assert "config.environment.hostname" in imported.files[0].left
    assert runs(imported)[0].protocol.facts["environment.processor"] == "x86_64"


@pytest.mark.parametrize(
    "text",
    ["org/toy", "b77@abc1234", "0.6.0@abc1234", "Linux-6.1.0-17-amd64-x86_64-with-glibc2.36", "2026-01-31 12:00:00", "max_tokens=5", "pad_token=<s>",
     "12.8.0.1", "https://example.org/toy", "tokens/s", "int4 / fp16", "~7B", "cuda:0", "nodes=2", "Ubuntu 22.04.4 LTS (x86_64)",
     "vllm@0.6.1.post1", "vllm@0.6.1.dev", "pad token: eos", "pad token = eos", "user: assistant", "multi-host: yes", "no_host=x", "user: {question}"],
)  # fmt: skip
def test_what_tells_nobody_stays(text: str) -> None:
    assert text_of(without_folders(text)) == text


@pytest.mark.parametrize(
    ("text", "kept"),
    [("mail bob@example.org.", "mail ...."), ("ssh root@10.0.0.7", "ssh ..."), ("user: bob, token: abc", "user: ..., token: ..."),
     ("run token=abc", "run token=..."), ("{'token': 'abc'}", "{'token': '...'}"), ("--server=10.0.0.7", "--server=..."),
     ("the ip addr: 10.0.0.7", "the ip addr: ..."), ("a\nhost: x1", "a\nhost: ..."), ("SLURM_NODELIST=n1 x", "SLURM_NODELIST=... x")],
)  # fmt: skip
def test_settings_and_logins_in_a_text_are_cut(text: str, kept: str) -> None:
    assert text_of(without_folders(text)) == kept


MARKED = {"machine_name": "name1", "SLURM_NODELIST": "list1,list2", "SLURM_JOB_NODELIST": "list3", "ssh_host": "ssh1", "author": "Some Body",
          "ip_addr": "10.1.2.3", "server": "192.168.0.7", "hostname": "GPUHOST01.example.org"}  # fmt: skip


def test_what_is_private_is_cut_from_every_text_in_either_case(tmp_path: Path) -> None:
    said = "name1 list1 list2 list3 ssh1 some body 10.1.2.3 192.168.0.7 gpuhost01"
    imported = take(write(tmp_path, "vllm.json", vllm(**MARKED, label=f"run 192 on {said}")))
    facts = runs(imported)[0].protocol.facts
    assert facts["label"] == "run 192 on" + " ..." * 9
    (outcome,) = tmp_path.glob("results/runs/*/outcome.json")
    assert not [word for word in said.split() if word in outcome.read_text("utf-8").lower().split()]
    assert not MARKED.keys() & facts.keys()


SOWN = "zq7sown"
"""Stands in the names and values of fields that no tool writes: it looks like nothing private, and no rule of ours names it."""


def sown(value: Any, level: int = 0) -> Any:
    """Put unknown fields with a secret in name and value into every object of a record."""
    if isinstance(value, list):
        return [sown(one, level + 1) for one in value]
    if not isinstance(value, dict):
        return value
    new = {
        f"note_{SOWN}": f"text {SOWN}", f"{SOWN}_version": f"1.0+{SOWN}", f"{SOWN}.{level}": {SOWN: [SOWN, {"a": SOWN}]},
        "remark": SOWN, "settings": {"nested": {"deep": SOWN}}, "list": [{"name": SOWN}],
    }  # fmt: skip
    return {name: sown(inner, level + 1) for name, inner in value.items()} | new


def sown_row(row: dict[str, Any]) -> dict[str, Any]:
    return row | {
        f"note_{SOWN}": SOWN,
        f"config.{SOWN}": SOWN,
        f"config.environment.{SOWN}_version": SOWN,
        "remark": SOWN,
    }


def sown_results() -> dict[str, Any]:
    """What lm-eval writes: names of tasks are anybody's, so unknown fields stand beside them, and inside of each."""
    record = lm_eval()
    unknown = {name: value for name, value in sown(record).items() if name not in record}
    tasks = {name: {**sown({}), **task} for name, task in record["results"].items()}
    return {**record, **unknown, "results": tasks, "config": sown(record["config"])}


GENAI_ROW = {"config.batch_size": 2, "metrics.token_generation_throughput_tps": 160.0, "metadata.platform": "Linux"}
LLAMA_ROW = {name: value for name, value in llama(500, 0).items() if not isinstance(value, list)}
CLEAN: dict[str, tuple[Any, Any]] = {
    "genai.json": ([genai()], [sown(genai())]),
    "genai.csv": (as_csv(GENAI_ROW), as_csv(sown_row(GENAI_ROW))),
    "benchmark.json": (optimum(), sown(optimum())),
    "results_1.json": (lm_eval(), sown_results()),
    "report.json": (trtllm(), sown(trtllm())),
    "vllm.json": (vllm(), sown(vllm())),
    "sglang.json": (sglang(), sown(sglang())),
    "llama.json": ([llama(500, 0)], [sown(llama(500, 0))]),
    "llama.csv": (as_csv(LLAMA_ROW), as_csv(sown_row(LLAMA_ROW))),
}  # fmt: skip


@pytest.mark.parametrize("name", CLEAN)
def test_fields_that_nobody_knows_are_dropped_and_counted_whatever_is_in_them(tmp_path: Path, name: str) -> None:
    clean, more = CLEAN[name]
    (tmp_path / "clean").mkdir()
    (tmp_path / "more").mkdir()
    before = runs(take(write(tmp_path / "clean", name, clean)))
    imported = take(write(tmp_path / "more", name, more))
    assert [values(run) for run in runs(imported)] == [values(run) for run in before]
    assert [run.job.spec.workload for run in runs(imported)] == [run.job.spec.workload for run in before]
    results = tmp_path / "more" / "results"
    assert [one.name for one in results.rglob("*") if one.is_file() and SOWN.encode() in one.read_bytes()] == []
    assert any("remark" in one for one in imported.files[0].left)
    assert f"({len(imported.files[0].left)} fields)" in "\n".join(lines(imported))


@pytest.mark.parametrize(
    "arguments",
    [{"pretrained": "org/toy", SOWN: 1, "dtype": "float16"}, f"pretrained=org/toy,{SOWN}=1,dtype=float16,{SOWN}"],
)
def test_of_a_models_arguments_those_that_are_known_are_kept(tmp_path: Path, arguments: Any) -> None:
    record = lm_eval()
    record["config"] |= {"model_args": arguments, "gen_kwargs": f"temperature=0,{SOWN}={SOWN}"}
    imported = take(write(tmp_path, "results_1.json", record))
    facts = runs(imported)[0].protocol.facts
    assert facts["model_args"] in ({"pretrained": "org/toy", "dtype": "float16"}, "pretrained=org/toy,dtype=float16")
    assert facts["gen_kwargs"] == "temperature=0"
    assert f"config.model_args.{SOWN}" in imported.files[0].left


def test_no_name_of_a_kept_field_is_one_of_a_machine_or_a_person() -> None:
    names = [*kept.LLAMA_BENCH, *kept.GENAI, *kept.TRTLLM, *kept.OPTIMUM, *kept.LM_EVAL_MODEL, *kept.LM_EVAL_GENERATION]
    assert len(names) > 300
    assert [name for name in names if is_private(name, "x")] == []
    assert [
        name
        for name in names
        if re.search("endpoint|url|path|(?<!sub)folder|[_.]dir$|key$|(?<!end_)(?<!bos_)token$|secret", name)
    ] == []


@pytest.mark.parametrize("setting", ["host", "user", "hostname"])
def test_a_machine_that_is_called_like_a_program_leaves_the_program_its_name(tmp_path: Path, setting: str) -> None:
    facts = runs(take(write(tmp_path, "vllm.json", vllm(**{setting: "vllm"}, label="vllm 0.6"))))[0].protocol.facts
    assert (facts["backend"], facts["endpoint_type"], facts["label"]) == ("vllm", "vllm", "vllm 0.6")
    record = optimum()
    record["config"]["environment"] |= {setting: "Transformers", "hosts": ["cuda", "float16"]}
    record["config"]["backend"] |= {"library": "transformers", "device_map": "cuda"}
    (run,) = runs(take(write(tmp_path, "benchmark.json", record)))
    assert run.protocol.facts["backend.library"] == "transformers"
    assert "..." not in json.dumps(run.protocol.facts)


@pytest.mark.parametrize(
    ("name", "value", "private"),
    [("machine_name", "x", True), ("a.SLURM_JOB_NODELIST", "x", True), ("ssh_host", "x", True), ("ip_addr", "10.1.2.3", True),
     ("server", "10.0.0.7", True), ("author", "x", True), ("host.address", "10.1.2.3", True), ("pci.slot", 5, True), ("user.id", 5, True),
     ("environment.user", "x", True), ("max_hosts", 2, False), ("a.hostName", "x", True), ("host.name", "x", True), ("gpu.uuid", 5, True), ("machine.name", "Example GPU", False), ("nodes", 2, False),
     ("nodes", "2", False), ("no_host", "x", False), ("max_token", "5", False), ("token", "False", False), ("device_ids", "0,1", False),
     ("pcie_gen", "4", False), ("machine", "x86_64", False)],
)  # fmt: skip
def test_settings_are_told_by_their_names(name: str, value: Any, private: bool) -> None:
    assert is_private(name, value) == private
