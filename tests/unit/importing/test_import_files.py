"""Taking files in: provenance, once and not twice, rebuilt from the folders, and what is refused."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import ConfigError, HarnessError
from harness.formats import FORMATS
from harness.formats.fields import without_folders
from harness.formats.source import read_source
from harness.importing.import_files import format_of, import_files, lines, parse_labels, read_contents
from harness.store.database import Database
from tests.unit.importing.files import genai, llama, lm_eval, optimum, problem, runs, take, trtllm, values, vllm, write


def test_an_imported_run_says_so_and_names_its_file_by_hash(tmp_path: Path) -> None:
    path = write(tmp_path, "vllm.json", vllm())
    (run,) = runs(take(path))
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    assert run.job.run == f"imported-{sha[:12]}-0"
    assert (run.origin, run.written_by) == ("imported", "import")
    assert (run.citation.file, run.citation.sha256, run.citation.title) == ("vllm.json", sha, "vLLM serving benchmark")
    assert (run.job.spec.version, run.job.spec.engine_version, run.job.labels.sweep) == (0, 0, "imported")
    with Database.open(tmp_path / "results" / "bench.db") as database:
        frame = database.frame(
            {"metric": "output_tps"}, ["origin", "citation", "model", "sweep", "metric_version", "value"]
        )
    (row,) = frame.to_dict("records")
    assert row["citation"] == f"vLLM serving benchmark, sha256 {sha[:12]}"
    assert (row["origin"], row["model"], row["sweep"], row["metric_version"]) == ("imported", "org/toy", "imported", 0)


def test_importing_twice_adds_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "llama.json", [llama(500, 0), llama(0, 500)])
    before = runs(take(path))
    copy = write(tmp_path, "copy.json", path.read_text("utf-8"))
    again = take(copy)
    assert (again.files[0].new, list(again.files[0].known)) == ((), before)
    assert "0 runs are new, 2 were known" in lines(again)[0]
    with Database.open(tmp_path / "results" / "bench.db") as database:
        assert database.count() == 2


def test_known_runs_keep_their_labels_and_that_is_said(tmp_path: Path) -> None:
    path = write(tmp_path, "vllm.json", vllm())
    take(path)
    assert not any("keep the labels" in line for line in lines(take(path)))
    again = take(path, labels={"model": "other"})
    assert runs(again)[0].job.labels.model == "org/toy"
    assert any("keep the labels" in line for line in lines(again))


def test_the_database_is_rebuilt_from_the_run_folders(tmp_path: Path) -> None:
    detailed = vllm(ttfts=[0.1, 0.2, 0.3], itls=[[0.02] * 40, [0.01], [0.03] * 40], errors=["", "", ""])
    first = runs(take(write(tmp_path, "vllm.json", detailed))) + runs(take(write(tmp_path, "lm.json", lm_eval())))
    results = tmp_path / "results"
    for file in results.glob("bench.db*"):
        file.unlink()
    with Database.open(results / "bench.db") as database:
        taken = database.ingest_folder(results)
        assert (taken.new, taken.problems, taken.unfinished) == (3, (), ())
        assert [database.outcome(run.job.run) for run in first] == first
        assert database.array(first[0].job.run, "itl.all").shape == (81,)


def test_labels_are_given_to_files_that_have_none(tmp_path: Path) -> None:
    path = write(tmp_path, "vllm.json", vllm(backend="openai", endpoint_type="openai"))
    labels = parse_labels(["model=toy", "method=int4_awq", "gpu=NVIDIA H200", "engine=vllm"])
    (run,) = runs(take(path, labels=labels, sweep="others"))
    assert (run.job.labels.model, run.job.labels.method, run.job.labels.sweep) == ("toy", "int4_awq", "others")
    assert (run.job.spec.engine, run.environment.gpus[0].name) == ("vllm", "NVIDIA H200")
    assert "not from the file but given at the import: engine vllm, gpu NVIDIA H200" in [
        note.text for note in run.notes
    ]


@pytest.mark.parametrize(
    ("word", "said"), [("model", "NAME=VALUE"), ("modle=x", "did you mean 'model'"), ("gpu=", "NAME=VALUE")]
)
def test_a_label_that_is_none_is_refused(word: str, said: str) -> None:
    with pytest.raises(HarnessError, match=said):
        parse_labels([word])


def test_a_run_folder_that_was_interrupted_is_written_again(tmp_path: Path) -> None:
    path = write(tmp_path, "vllm.json", vllm())
    (run,) = runs(take(path))
    folder = tmp_path / "results" / "runs" / run.job.run
    (folder / "outcome.json").unlink()
    (again,) = take(path).files[0].new
    assert values(again) == values(run)
    assert sorted(file.name for file in folder.iterdir()) == ["job.json", "outcome.json"]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.json", "", "is empty"),
        ("cut.json", json.dumps(vllm())[:200], "is not complete JSON"),
        ("cut.jsonl", json.dumps(llama(1, 0)) + "\n" + json.dumps(llama(0, 1))[:50], "is not complete JSON"),
        ("deep.json", "[" * 100_000, "is not complete JSON"),
        ("other.json", {"hello": 1}, "is not a result file of a known format"),
        ("list.json", [1, 2, 3], "is not a result file of a known format"),
        ("nothing.json", "[]", "is not a result file of a known format"),
        ("null.json", "null", "is not a result file of a known format"),
        ("other.csv", "a,b\n1,2\n", "is not a result file of a known format"),
    ],
)
def test_a_damaged_or_unknown_file_is_refused_in_one_sentence_that_names_the_formats(
    tmp_path: Path, name: str, content: Any, said: str
) -> None:
    refused = problem(take(write(tmp_path, name, content)))
    assert said in refused
    assert str(tmp_path / name) in refused
    assert all(known in refused for known in FORMATS)
    assert "\n" not in refused
    assert not list((tmp_path / "results").glob("runs/*"))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(b"\xff\xfe\x00")
    assert "is not UTF-8 text" in problem(take(path))
    assert "cannot be read" in problem(take(tmp_path / "gone.json"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([llama(1, 0, samples_ts=[1.0, "x"])], "test 1: 'samples_ts' is x"),
        (optimum(decode={"latency": {"unit": "s", "mean": True}}), "'report.decode.latency.mean' is True"),
        (optimum(decode={"latency": {"unit": "ms", "mean": 1.0}}), "'report.decode.latency.unit' is ms"),
        (vllm(date="yesterday"), "'date' is yesterday, which is not a date"),
        (vllm(completed=0, mean_ttft_ms=0.0), "no request was completed"),
        (vllm(mean_ttft_ms=-5.0), "'mean_ttft_ms' is -5; times, rates"),
        (trtllm(performance={"avg_request_latency_ms": 1.0, "total_latency_ms": -1.0}), "(ValidationError"),
        (lm_eval(date="yesterday"), "does not have the layout of lm-eval results (ValueError"),
        (lm_eval(config=[1]), "does not have the layout of lm-eval results"),
    ],
)
def test_what_is_no_measurement_is_refused_with_its_place(tmp_path: Path, content: Any, said: str) -> None:
    refused = problem(take(write(tmp_path, "file.json", content)))
    assert said in refused
    assert not list((tmp_path / "results").glob("runs/*"))


@pytest.mark.parametrize("good", [[genai()], [llama(1, 0)], vllm(), trtllm(), lm_eval(), optimum()])
def test_whatever_stands_in_a_place_a_file_is_read_or_refused(tmp_path: Path, good: Any) -> None:
    for number, bad in enumerate(_mutated(good)):
        source = read_source(write(tmp_path, f"{number}.json", bad))
        with suppress(ConfigError):
            contents = read_contents(format_of(source), source)
            assert all(run.labels is not None for run in contents.runs)


_ODD: tuple[Any, ...] = (None, "x", [], {}, [{"a": None}], -1, True, 1e308)


def _mutated(good: Any) -> Iterator[Any]:
    """Give the file with every single value in it replaced by something else."""
    for path in _paths(good):
        for bad in _ODD:
            copy = json.loads(json.dumps(good))
            place = copy
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = bad
            yield copy


def _paths(value: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*above, key)
        yield from _paths(item, (*above, key))


def test_a_good_file_is_imported_although_another_is_bad(tmp_path: Path) -> None:
    bad, good = write(tmp_path, "bad.json", "{"), write(tmp_path, "good.json", vllm())
    imported = import_files([bad, good], tmp_path / "results")
    assert [taken.source.name for taken in imported.files] == ["good.json"]
    assert len(imported.problems) == 1


def test_paths_of_others_machines_are_shortened_and_names_are_not() -> None:
    assert without_folders("/home/somebody/models/toy") == "toy"
    assert without_folders("pretrained=/home/somebody/toy,dtype=float16") == "pretrained=toy,dtype=float16"
    assert without_folders("C:\\Users\\somebody\\toy") == "toy"
    assert without_folders("org/toy") == "org/toy"
    assert without_folders("tokens/s") == "tokens/s"
    assert without_folders("https://example.org/toy") == "https://example.org/toy"


def test_the_command_prints_what_was_taken_and_exits_2_for_what_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness import cli

    good, bad = write(tmp_path, "good.json", vllm(new_thing=1)), write(tmp_path, "bad.txt", "hello")
    words = ["import", str(good), str(bad), "--results", str(tmp_path / "results"), "--label", "method=fp8"]
    monkeypatch.setattr(sys, "argv", ["harness", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    assert ended.value.code == 2
    assert "good.json (vLLM serving benchmark): 1 runs are new" in out
    assert "org/toy fp8: request_throughput, output_tps" in out
    assert "not taken: new_thing" in out
    assert err.count("\n") == 1
    assert "bad.txt: is not a result file of a known format (trtllm-bench-printed" in err
