"""A program that measures by itself: started, its report read as an import, and never believed further than it goes."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.options import problems_of
from harness.core.seam import Context, ProbeResult
from harness.engines.program import ENGINE
from harness.probes.command import PROBE, CommandWorkload
from tests.fake_machine import Bench
from tests.unit.probes.report_script import GENAI, given


def measured(folder: Path, script: Path, more: str = "", provider: str = "cpu", **workload: Any) -> ProbeResult:
    run = f"python '{script}' --model {{artifact}} --out {{out}} {more}"
    options = PROBE.workload.model_validate({"run": run, **workload})
    work = folder / "run"
    work.mkdir()
    artifact = folder / "b-artifact"
    artifact.mkdir(exist_ok=True)
    with ENGINE.open(artifact, ENGINE.options.model_validate({"provider": provider})) as session:
        return PROBE.measure(session, options, Context(folder=work, artifact=artifact))


def test_a_report_of_a_known_format_is_read_as_its_import_is(tmp_path: Path, script: Path) -> None:
    found = measured(tmp_path, script, given(GENAI), read="onnxruntime-genai", batch=2)
    assert {one.metric: (one.value, one.version) for one in found.values} == {
        "decode_tps": (123.5, 0), "ttft": (pytest.approx(0.009), 0),
    }  # fmt: skip
    assert (found.protocol.name, found.protocol.version) == ("genai-e2e", 0)
    assert (tmp_path / "run" / "report" / "r.json").is_file(), "the report is kept whole"
    assert found.protocol.facts["report"] == "r.json"
    assert "load_average_before" in found.protocol.facts, "the machine was watched"
    assert (tmp_path / "run" / "log.txt").read_text("utf-8") == "measured b-artifact\n"
    assert found.executed is None, "the report says nothing of what ran"


def test_what_a_report_says_of_what_ran_is_told_in_its_words(tmp_path: Path, script: Path) -> None:
    test = {
        "model_filename": "m.gguf", "model_type": "llama 1B Q4_K - Medium", "n_prompt": 0, "n_gen": 16, "avg_ts": 50.0, "n_gpu_layers": 99,
        "type_k": "f16", "flash_attn": True, "backends": "CPU",
    }  # fmt: skip
    found = measured(tmp_path, script, given([test]), read="llama-bench", output=16)
    assert found.executed is not None
    assert found.executed.text == (
        "model_type llama 1B Q4_K - Medium; type_k f16; n_gpu_layers 99; flash_attn True, as the report says"
    )


def test_numbers_by_their_place_in_json_and_csv_are_converted_to_the_metrics_units(
    tmp_path: Path, script: Path
) -> None:
    read = {
        "decode_tps": "out.speed",
        "ttft": {"path": "out.first", "unit": "ms"},
        "peak_gpu_bytes": {"path": "gb", "unit": "GiB"},
    }
    found = measured(tmp_path, script, given({"out": {"speed": 50, "first": 7.5}, "gb": 2}), read=read)
    assert {one.metric: one.value for one in found.values} == {
        "decode_tps": 50, "ttft": 0.0075, "peak_gpu_bytes": 2 * 2**30,
    }  # fmt: skip
    other = tmp_path / "csv"
    other.mkdir()
    found = measured(other, script, "--name r.csv --text 'speed,first\n60,8'", read={"decode_tps": "speed"})
    assert [one.value for one in found.values] == [60]


def test_the_numbers_of_the_workload_fill_the_command(tmp_path: Path, script: Path) -> None:
    read = {"decode_tps": "asked.batch", "prefill_tps": "asked.prompt"}
    found = measured(tmp_path, script, "--batch {batch} --prompt {prompt}", read=read, batch=4, prompt=17)
    assert [one.value for one in found.values] == [4, 17]


ROWS = {"runs": [{"n": 1, "tps": 10}, {"n": 8, "tps": 60}]}
BY_ROW = {"decode_tps": "runs[*].tps", "batch": "runs[*].n"}


def test_a_report_with_several_batch_sizes_gives_the_row_of_each(tmp_path: Path, script: Path) -> None:
    for batch, speed in ((1, 10), (8, 60)):
        folder = tmp_path / str(batch)
        folder.mkdir()
        found = measured(folder, script, given(ROWS), read=BY_ROW, batch=batch)
        assert [(one.metric, one.value) for one in found.values] == [("decode_tps", speed)]
    tomorrow = {**GENAI, "trigger_date": f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%S+00:00}"}
    (tmp_path / "new").mkdir()
    with pytest.raises(HarnessError, match=r"says that it was measured at .* UTC, which is not yet"):
        measured(tmp_path / "new", script, given(tomorrow), read="onnxruntime-genai")
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(HarnessError, match=r"has no result for batch 4; it has batch 1; batch 8"):
        measured(other, script, given(ROWS), read=BY_ROW, batch=4)


def test_a_command_that_names_no_number_runs_once_for_all_of_them_in_a_round(bench: Bench, tmp_path: Path) -> None:
    script, count = tmp_path / "b.py", tmp_path / "count"
    script.write_text(
        "import json, sys\n"
        "open(sys.argv[2], 'a').write('x')\n"
        f"open(sys.argv[1] + '/r.json', 'w').write(json.dumps({ROWS!r}))\n",
        "utf-8",
    )
    bench.methods({"int8": {"recipes": {"fake": {"noise": 0.01}}}})
    run = f"python {script} {{out}} {count}"
    probes = {"command": {"run": run, "read": BY_ROW, "batch": [8, 1]}}
    bench.sweep(method=["int8"], engine={"program": {}}, probes=probes, rounds=2)
    bench.run()
    assert count.read_text("utf-8") == "xx", "once in each round"
    rows = bench.frame({"metric": "decode_tps"}, ["batch", "value", "round", "run"])
    assert sorted(zip(rows["batch"], rows["value"], strict=True)) == [(1, 10), (1, 10), (8, 60), (8, 60)]
    kept = [bench.results / "runs" / run for run in rows["run"]]
    assert all((folder / "report" / "r.json").is_file() for folder in kept), "each run has the report"
    facts = [json.loads((folder / "outcome.json").read_text("utf-8"))["protocol"]["facts"] for folder in kept]
    assert sum("ran_in" in one for one in facts) == 2, "and says where it was made"


def test_a_format_may_be_called_by_its_protocol() -> None:
    assert CommandWorkload(run="bench --out {out}/r.json", read="genai-e2e").read == "onnxruntime-genai"
    with pytest.raises(ValueError, match="unknown format 'lm-evil'; did you mean 'lm-eval'"):
        CommandWorkload(run="bench --out {out}/r.json", read="lm-evil")


@pytest.mark.parametrize(
    ("more", "workload", "said"),
    [
        ("--exit 3", {}, "the command failed with exit code 3: measured b-artifact"),
        ("--write no", {}, "the command left no report; let it write one into the folder"),
        ("", {"file": "other.json"}, "left no file 'other.json'; it left r.json"),
        (f"--aged 90000 {given({'speed': 1})}", {}, "before this job began: an older report"),
        (f"--aged 30 {given({'speed': 1})}", {}, "before this job began: an older report"),
        ("--text '{'", {}, "r.json"),
        ("--text '[]'", {}, "is neither JSON nor CSV with a row"),
        (given({"other": 1}), {}, "there is no 'speed'; there are other"),
        (given({"speed": "fast"}), {}, "which is not a number"),
        (given({"speed": 1}), {"read": "lm-eval"}, "is not a file of lm-eval"),
        (
            given(GENAI),
            {"read": "onnxruntime-genai", "batch": 8},
            "has no result for batch 8; it has batch 2, prompt 64, output 32",
        ),
        (given([GENAI, GENAI]), {"read": "onnxruntime-genai"}, "holds 2 results for anything"),
        ("--text '{\"speed\": NaN}'", {}, "holds no number for anything: record 1: speed: value is nan"),
        ("--text '{\"speed\": Infinity}'", {}, "record 1: speed: value is inf"),
        (given({"speed": -5}), {}, "decode_tps in result 1: -5, and times, rates and sizes are not negative"),
        (given({"speed": None}), {}, "record 1: decode_tps: 'speed' is empty"),
        (
            given({"runs": [{"b": 1, "v": 2}, {"b": 8}]}),
            {"read": {"decode_tps": "runs[*].v", "batch": "runs[*].b"}, "batch": 8},
            r"holds no number for batch 8: there is nothing at runs\[\*\].v; let the program write it",
        ),
        (f"--aged -86400 {given({'speed': 1})}", {}, "r.json was written at .* UTC, which is not yet"),
        (f"--link yes {given({'speed': 1})}", {}, "the report r.json is a link"),
        ("--batch {batch}", {}, r"the command names \{batch\}, and the sweep does not say it"),
    ],
)
def test_what_a_program_does_wrong_is_told_and_nothing_is_believed(
    tmp_path: Path, script: Path, more: str, workload: dict[str, Any], said: str
) -> None:
    with pytest.raises(HarnessError, match=said):
        measured(tmp_path, script, more, **{"read": {"decode_tps": "speed"}, **workload})


def test_a_report_dated_before_the_job_or_of_another_provider_is_refused(tmp_path: Path, script: Path) -> None:
    old = {**GENAI, "trigger_date": "2026-01-31T10:00:00+00:00"}
    with pytest.raises(HarnessError, match="says that it was measured at 2026-01-31"):
        measured(tmp_path, script, given(old), read="onnxruntime-genai")
    other = tmp_path / "other"
    other.mkdir()
    with pytest.raises(HarnessError, match="says that it ran on cpu, and the sweep asks for cuda"):
        measured(other, script, given(GENAI), provider="cuda", read="onnxruntime-genai")


def test_a_number_that_no_measurement_can_give_is_left_out_and_noted(tmp_path: Path, script: Path) -> None:
    read = {"decode_tps": "speed", "lm_eval.acc": "accuracy"}
    found = measured(tmp_path, script, '--text \'{"speed": 5, "accuracy": 1.7}\'', read=read)
    assert [one.metric for one in found.values] == ["decode_tps"]
    assert any(note.code == "left-out" and "lm_eval.acc" in note.text for note in found.notes)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"run": "bench {out}", "read": "genai"}, "unknown format 'genai'"),
        (
            {"run": "bench {out}", "read": {"decode_tps": {"path": "s", "better": "lower"}}},
            "decode_tps: higher is better by its definition",
        ),
        ({"run": "bench {out}", "read": {"decode_tsp": "a"}}, "did you mean 'decode_tps'"),
        ({"run": "bench", "read": "lm-eval"}, r"must contain \{out\}"),
        ({"run": "bench {modle} {out}", "read": "lm-eval"}, "unknown placeholder '{modle}'"),
        ({"run": "bench {out}"}, "needs 'read'"),
        ({"run": "bench {out}", "read": {"batch": "a"}}, "names no metric"),
        (
            {"run": "bench {out}", "read": {"decode_tps": {"path": "a", "unit": "ms"}}},
            "decode_tps: 'ms' cannot be converted to 'tok/s'",
        ),
        ({"run": "bench {out}", "read": {"ttft": {"path": "a", "unit": "%"}}}, "'%' cannot be converted to 's'"),
        ({"run": "bench {out}", "read": {"decode_tps": "a", "bach": "b"}}, "a dimension is one of batch, prompt"),
        (
            {"run": "bench {out}", "read": "lm-eval", "requires": ["lm-eval 0.4"]},
            "'lm-eval 0.4' is no package with its versions; write it as",
        ),
        ({"run": "bench {out}", "read": "lm-eval", "requires": ["a>=1,"]}, "'a>=1,' is no package"),
    ],
)
def test_what_a_sweep_says_wrong_is_told_before_anything_runs(options: dict[str, Any], said: str) -> None:
    assert any(re.search(said, message) for _, message in problems_of(PROBE.workload, options, "probe 'command'"))


def test_packages_are_required_as_pip_reads_them() -> None:
    said = ["lm-eval", "lm_eval>=0.4.13", "tensorrt-llm>=1.3.0rc11,<2", "a==1.*", "b!=2+cu130"]
    assert problems_of(PROBE.workload, {"run": "bench {out}", "read": "lm-eval", "requires": said}, "") == []
