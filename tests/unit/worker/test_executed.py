"""What really ran, on the record of a job: asked once, kept by content and options, held against the files, never in the way."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.executed import NOT_REPORTED, OTHERWISE, Executed
from harness.core.outcome import Outcome
from harness.core.seam import Base
from harness.core.spec import Input, Job, MeasureSpec
from harness.engines import fake
from harness.quantizers import ort_genai, random_weights
from harness.worker import JOB, OUTCOME
from harness.worker.answers import Answers
from harness.worker.executed import executed_of, inspected_before, what_ran
from harness.worker.fresh_process import inspected
from harness.worker.server import Server
from tests.graph_edits import edited, stored_in_int8
from tests.unit.quantizers.conftest import TINY, made
from tests.unit.store.outcomes import environment

RAN = Executed(text="int4 b32 MatMulNBits x11", weights={"int4 b32 MatMulNBits": 11})


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "executed"


@pytest.fixture(scope="module")
def int8(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export whose weights are INT8, and whose settings have the runtime make floats of them when it opens it."""
    root = tmp_path_factory.mktemp("int8")
    model, _ = made(random_weights.QUANTIZER, Base(root, "hf", root), root / "hf", {"config": TINY})
    fp32, _ = made(ort_genai.QUANTIZER, Base(model, "hf", model), root / "fp32", {"precision": "fp32"})
    folder = edited(fp32, root / "folded", stored_in_int8)
    config = json.loads((folder / "genai_config.json").read_text("utf-8"))
    config["model"]["decoder"]["session_options"]["session.disable_quant_qdq"] = "1"
    (folder / "genai_config.json").write_text(json.dumps(config), "utf-8")
    return folder


def job(folder: Path, engine: str = "ort-genai", **facts: Any) -> Job:
    spec = MeasureSpec(
        probe="perplexity", version=1, workload={"tokens": 32, "window": 16, "stride": 16}, engine=engine, engine_version=1,
        engine_options=facts.pop("options", {}), artifact="a",
    )  # fmt: skip
    inputs = (Input(role="artifact", id="a", path=str(folder), content=facts.pop("content", None)),)
    return Job(
        run="r", kind=facts.pop("kind", "quality"), key="k", spec=spec, inputs=inputs, environment="here", **facts
    )


def looked(asked: Job, engine: Any, **facts: Any) -> Any:
    return inspected_before(asked, engine, engine.options(), asked.inputs, environment(**facts))


def test_a_look_is_kept_by_content_options_and_packages(tmp_path: Path, cache: Path) -> None:
    seen: list[Path] = []

    def inspect(folder: Path, options: Any) -> Executed:
        seen.append(folder)
        return RAN

    engine = replace(fake.ENGINE, inspect=inspect, packages=("onnxruntime",))
    assert looked(job(tmp_path, content="c"), engine) == (RAN, ())
    assert looked(job(tmp_path / "elsewhere", content="c"), engine) == (RAN, ())
    assert seen == [tmp_path], "the same content lies elsewhere"
    looked(job(tmp_path, content="d"), engine)
    looked(job(tmp_path, content="c", options={"open_seconds": 0.0}), engine)
    looked(job(tmp_path, content="c"), engine, onnxruntime="9.9")
    assert len(seen) == 4
    looked(job(tmp_path, content="c"), engine, onnxruntime="9.9", rich="9.9")
    assert len(seen) == 4, "a package that the engine has nothing to do with"
    (cache / next(iter(sorted(path.name for path in cache.iterdir())))).write_text("half", "utf-8")
    for content in ("c", "d"):
        assert looked(job(tmp_path, content=content), engine)[0] == RAN


def test_a_look_that_cannot_be_kept_is_no_failure(tmp_path: Path, cache: Path) -> None:
    cache.parent.mkdir()
    cache.write_text("a file stands where the folder would", "utf-8")
    engine = replace(fake.ENGINE, inspect=lambda folder, options: RAN)
    assert looked(job(tmp_path, content="c"), engine) == (RAN, ())


@pytest.mark.parametrize(
    "error", [HarnessError("no\nlong story"), RuntimeError("no"), MemoryError(), AttributeError("no"), IndexError("no")]
)
def test_a_look_that_fails_is_told_and_not_kept(tmp_path: Path, cache: Path, error: Exception) -> None:
    def inspect(folder: Path, options: Any) -> Executed:
        raise error

    found, (note,) = looked(job(tmp_path, content="c"), replace(fake.ENGINE, inspect=inspect))
    assert found == NOT_REPORTED
    assert note.code == "executed-unknown"
    assert note.text in {
        "what really ran could not be found out: no", "what really ran could not be found out: MemoryError",
    }  # fmt: skip
    assert not cache.exists()


def test_a_job_whose_memory_counts_has_another_process_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(folder: Path, options: Any) -> Executed:
        raise AssertionError

    monkeypatch.setattr("harness.worker.fresh_process.inspected", lambda artifact, spec: RAN)
    assert looked(job(tmp_path, content="c", own_process=True), replace(fake.ENGINE, inspect=never)) == (RAN, ())


def test_who_measured_tells_first_then_the_session_then_the_look_before() -> None:
    own = Executed(text="own")
    session: Any = type("Session", (), {"executed": lambda self: own})()
    plain: Any = SimpleNamespace()
    program: Any = SimpleNamespace(executed=RAN)
    silent: Any = SimpleNamespace(executed=None)
    assert what_ran(session, program, None) == RAN
    assert what_ran(session, silent, RAN) == own
    assert what_ran(plain, silent, RAN) == RAN
    assert what_ran(plain, silent, None) == NOT_REPORTED


def test_a_session_that_cannot_tell_costs_no_measurement(tmp_path: Path) -> None:
    def broken(self: Any) -> Executed:
        raise AttributeError("this model has no attention")

    session: Any = type("Session", (), {"executed": broken})()
    silent: Any = SimpleNamespace(executed=None)
    found, (note,) = executed_of(session, silent, (None, ()), tmp_path, None)
    assert found == NOT_REPORTED
    assert (note.code, note.text.endswith(": this model has no attention")) == ("executed-unknown", True)


def served(asked: Job, folder: Path) -> Outcome:
    folder.mkdir()
    (folder / JOB).write_text(asked.model_dump_json(), "utf-8")
    server = Server(Answers(io.StringIO()), "here")
    server.serve(folder)
    server.close()
    return Outcome.model_validate_json((folder / OUTCOME).read_text("utf-8"))


def test_a_method_in_int8_that_runs_as_floats_says_so_on_its_record(int8: Path, tmp_path: Path) -> None:
    found = served(job(int8), tmp_path / "run")
    assert found.status == "ok", found.reason
    assert found.executed is not None
    assert found.executed.text == "float32 MatMul x21; in float32; GroupQueryAttention"
    (note,) = [note for note in found.notes if note.code == OTHERWISE]
    assert "lie in the files as int8 tensor sym and run as float32" in note.text


def test_another_process_finds_the_same_and_its_words_reach_the_log(
    int8: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = job(int8).spec
    assert isinstance(spec, MeasureSpec)
    assert inspected(str(int8), spec).text == "float32 MatMul x21; in float32; GroupQueryAttention"
    broken = tmp_path / "broken"
    shutil.copytree(int8, broken)
    (broken / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(
        HarnessError, match=r"a process that looks at what runs failed: .*cannot be opened by onnxruntime-genai"
    ):
        inspected(str(broken), spec)
    assert "cannot be opened" in capfd.readouterr().err


def test_an_engine_that_says_nothing_is_told_to_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "noise.txt").write_text("0.1", "utf-8")
    found = served(job(tmp_path / "a", "fake"), tmp_path / "run")
    assert found.status == "ok", found.reason
    assert found.executed == NOT_REPORTED
