"""The time left and the live line."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from harness.commands.progress import Left, Show
from harness.core.spec import Labels, MeasureSpec
from harness.plan.expand import PlannedJob
from harness.runner.opened import Event


def job(number: int, probe: str = "perplexity") -> PlannedJob:
    spec = MeasureSpec(probe=probe, version=1, engine="fake", engine_version=1, artifact="a", workload={"n": number})
    return PlannedJob(
        id=f"q-{probe}-{number}", kind="quality", spec=spec, key=str(number), artifact=None, needs=(), inputs=(),
        environment="here", labels=(Labels(model="a model with a long name", method="a method with a long name"),),
        provider="cpu", round=0, own_process=False, timeout_seconds=None, group="g",
    )  # fmt: skip


def test_the_time_left_is_what_history_says_less_what_is_done() -> None:
    jobs = [job(0), job(1)]
    left = Left({jobs[0].id: 10.0, jobs[1].id: 30.0}, jobs)
    assert left.text(jobs[0], 0.5) == "about 35 s left"
    left.done(jobs[0], 12.0)
    assert left.text(jobs[1], 0.0) == "about 30 s left"


def test_jobs_that_never_ran_are_expected_to_take_what_their_like_took() -> None:
    jobs = [job(0), job(1), job(2), job(3, "lm_eval")]
    left = Left({}, jobs)
    assert left.text(jobs[0], 0.0) == ""
    left.done(jobs[0], 8.0)
    assert left.text(jobs[1], 0.5) == "more than 12 s left", "lm_eval is not known yet"
    left.done(jobs[3], 5.0)
    assert left.text(jobs[1], 0.0) == "about 16 s left"


@pytest.mark.parametrize("width", [60, 80, 160])
def test_the_live_line_fits_the_terminal_and_keeps_counts_and_times(width: int) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=width)
    jobs = [job(0), job(1)]
    show = Show(console, {one.id: 60.0 for one in jobs}, jobs)
    show.event(Event("begin", job=jobs[0], total=2))
    show.event(Event("progress", job=jobs[0], text="windows: 3 of 9", share=0.25, total=2))
    with console.capture() as captured:
        console.print(show._progress.get_renderable())
    (line,) = [part for part in captured.get().split("\n") if part]
    plain = Console(file=io.StringIO(), width=400).render_str(line).plain
    assert "0/2 jobs" in plain
    assert "25%" in plain
    assert "windows: 3 of 9" in plain or width == 60
    assert plain.rstrip().endswith("about 105 s left")


def test_a_log_says_now_and_then_how_far_a_long_job_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.commands import progress as module

    file = io.StringIO()
    shown = Show(Console(file=file, width=200), {}, [job(0)])
    shown.event(Event("begin", job=job(0), total=1))
    shown.event(Event("progress", job=job(0), text="layers: 1 of 9", share=0.1, total=1))
    assert "layers" not in file.getvalue()
    monkeypatch.setattr(module, "TOLD_SECONDS", 0.0)
    shown.event(Event("progress", job=job(0), text="layers: 2 of 9", share=0.2, total=1))
    assert "layers: 2 of 9 20%" in file.getvalue()
