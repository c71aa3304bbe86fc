"""The command line as a person meets it: one line for what can be acted on, the right exit code."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.fake_machine import Bench, Say


def harness(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *words], capture_output=True, text=True, timeout=120, check=False
    )


def test_a_misspelt_sweep_is_told_the_right_name_in_one_line_and_exits_2() -> None:
    answer = harness("run", "quikstart")
    assert answer.returncode == 2
    assert answer.stderr == "unknown sweep 'quikstart'; did you mean 'quickstart'?\n"


def test_an_unknown_command_exits_2_without_a_traceback() -> None:
    answer = harness("nosuch")
    assert answer.returncode == 2
    assert "Traceback" not in answer.stderr
    assert "nosuch" in answer.stderr


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv=['harness','--help']\n"
        "import harness.cli\n"
        "try: harness.cli.main()\nexcept SystemExit: pass\n"
        "print([m for m in ('torch','pandas','sqlalchemy','transformers','numpy') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip().endswith("[]")


def test_a_run_whose_job_fails_exits_1_and_says_which(bench: Bench) -> None:
    bench.sweep(method=["fp32", "broken"])
    answer = harness("run", "s", "--configs", str(bench.configs), "--results", str(bench.results))
    assert answer.returncode == 1
    assert "toy broken build: failed" in answer.stdout
    assert "harness's own share" in answer.stdout


def test_a_plan_is_printed_without_running_anything(bench: Bench) -> None:
    bench.sweep(method=["fp32"])
    answer = harness("plan", "s", "--configs", str(bench.configs), "--results", str(bench.results), "--why")
    assert answer.returncode == 0
    assert "never made here" in answer.stdout
    assert not (bench.results / "runs").exists()


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(bench: Bench) -> None:
    bench.sweep(method=["stuck"])
    words = [
        sys.executable,
        "-m",
        "harness",
        "run",
        "s",
        "--configs",
        str(bench.configs),
        "--results",
        str(bench.results),
    ]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list((bench.results / "artifacts").glob("*partial*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, words_said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert words_said == "interrupted; run the same command again to continue\n"


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("qualty", "unknown kind of job for --rerun 'qualty'; did you mean 'quality'?"),
        ("speeed", "unknown kind of job for --rerun 'speeed'; did you mean 'speed'?"),
    ],
)
def test_a_kind_that_again_does_not_take_is_told_before_anything_runs(
    kind: str, told: str, bench: Bench, say: Say
) -> None:
    bench.sweep(method="fp32")
    said = say(bench, "run", "s", "--rerun", kind)
    assert (said.code, said.err) == (2, told + "\n")
    assert not bench.results.exists()


def test_a_plan_writes_nothing_and_reads_what_is_there(bench: Bench, say: Say) -> None:
    bench.sweep(method="fp32")
    assert "never made here" in say(bench, "plan", "s", "--why").out
    assert not bench.results.exists()
    bench.run()
    before = {path: path.stat().st_mtime_ns for path in bench.results.rglob("*") if path.is_file()}
    said = say(bench, "plan", "s")
    assert "known" in said.out
    assert "to run, about " in said.out
    after = {path: path.stat().st_mtime_ns for path in bench.results.rglob("*") if path.is_file()}
    assert {path for path in after if path.suffix not in {".db-wal", ".db-shm"}} == set(before)


def test_an_expanded_plan_writes_out_the_defaults(bench: Bench, say: Say) -> None:
    bench.sweep(method=["int8"])
    out = say(bench, "plan", "s", "--expand").out
    assert '"fail":' in out, "an option of the quantizer that nobody gave"
    assert '"repetitions":' in out
    assert '"stride":' in out


def test_a_plan_that_is_piped_is_never_folded(bench: Bench) -> None:
    bench.sweep(method="fp32", environment="here")
    answer = harness("plan", "s", "--configs", str(bench.configs), "--results", str(bench.results), "--why")
    lines = answer.stdout.splitlines()
    assert [line.split()[0][:2] for line in lines[:4]] == ["jo", "b-", "q-", "s-"]
    assert lines[3].endswith("run: speed is always measured anew")
    assert max(len(line) for line in lines) > 80


def test_a_sweep_that_this_machine_refuses_whole_exits_2_and_says_so(bench: Bench, say: Say) -> None:
    places = bench.configs / "environments.yaml"
    places.write_text(places.read_text("utf-8") + "away: {packages: [nothing==1]}\n", "utf-8")
    bench.sweep(method="fp32", environment="away")
    said = say(bench, "run", "s")
    assert said.code == 2
    reason = "environment 'away' is not on this machine: harness setup --env away"
    assert said.out.splitlines()[-1] == f"this machine cannot run any job of sweep s: {reason}"


def test_a_sweep_without_tables_prints_plain_ones_of_all_its_metrics(bench: Bench, say: Say) -> None:
    bench.sweep(method=["fp32", "int4", "broken"], probes={"generation": {"batch": [1, 2], "prompt": 8, "output": 8}})
    said = say(bench, "run", "s")
    assert said.code == 1
    assert "**Sweep s: builds**" in said.out
    assert "**Sweep s: generation**" in said.out
    (head,) = [line for line in said.out.splitlines() if "Decode (tok/s)" in line]
    assert head.startswith("| Model | Method | Engine | Batch size | Time to first token (ms) |")
    rows = [line.split(" | ") for line in said.out.splitlines() if line.startswith("| toy |")]
    speed = [row for row in rows if row[2] == "Fake"]
    assert [(row[1], row[3]) for row in speed] == [(name, size) for name in ("fp32", "int4", "broken") for size in "12"]
    assert not any("±" in row[5] for row in speed), "one round says nothing of the next"
    assert "failed" in speed[-1][5]
    page = bench.results / "tables" / "s.md"
    assert page.read_text("utf-8").strip() in said.out
    assert "**Sweep s: generation**" in say(bench, "report", "s").out


def test_the_title_of_a_sweep_heads_what_is_printed_after_it(bench: Bench, say: Say) -> None:
    bench.sweep(method=["fp32"], title="Small toys", probes={"generation": {"prompt": 8, "output": 8}})
    said = say(bench, "run", "s")
    assert [line for line in said.out.splitlines() if line.startswith("**")] == [
        "**Small toys: builds**", "**Small toys: generation**",
    ]  # fmt: skip


def test_a_report_prints_what_there_is_and_says_once_what_there_is_not(bench: Bench, say: Say) -> None:
    bench.sweep(method="fp32")
    bench.run()
    said = say(bench, "report")
    assert "**Sweep s: perplexity**" in said.out
    assert said.out.count("no results for") == 1
    assert "quickstart-speed" in said.out.splitlines()[-1]
    wrong = say(bench, "report", "quikstart")
    assert (wrong.code, wrong.err) == (2, "unknown table or sweep 'quikstart'; did you mean 'quickstart'?\n")


def test_a_table_that_a_sweep_names_and_nobody_wrote_is_a_mistake_with_its_line(bench: Bench, say: Say) -> None:
    bench.sweep(method="fp32", tables=["quikstart"])
    said = say(bench, "plan", "s")
    assert said.code == 2
    assert "unknown tables 'quikstart'; did you mean 'quickstart'?" in said.err
    assert "s.yaml:" in said.err


def test_help_names_every_exit_code(bench: Bench) -> None:
    said = " ".join(harness("--help").stdout.split())
    assert "0 all ok, 1 some job failed, 2 invalid input, or nothing" in said
    assert "130 interrupted" in said


@pytest.mark.slow
def test_a_sweep_is_published_whole_also_when_its_builds_were_known(bench: Bench) -> None:
    bench.sweep(method=["fp32"])
    place = ["--configs", str(bench.configs), "--results", str(bench.results)]
    assert harness("run", "s", *place).returncode == 0
    assert harness("run", "s", *place).returncode == 0
    to = bench.results / "published" / "s.yaml"
    answer = harness("publish", "s", "--to", str(to), "--results", str(bench.results))
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("3 runs written")
    assert "artifact_bytes" in to.read_text("utf-8")
    speed = next(path.name for path in (bench.results / "runs").iterdir() if "-s-" in path.name)
    answer = harness("publish", speed, "--to", str(to), "--results", str(bench.results))
    assert answer.stdout.startswith("2 runs written"), "a run brings the build of what it measured along"


def test_a_sweep_that_can_only_be_built_here_needs_a_person(bench: Bench) -> None:
    bench.sweep(method=["fp32"], probes={"generation": {"protocol": "bnb-2024-12"}})
    answer = harness("run", "s", "--configs", str(bench.configs), "--results", str(bench.results))
    assert answer.returncode == 2
    assert "this machine cannot run any job of sweep s" in answer.stdout


def test_a_refused_table_needs_a_person(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from harness.commands import plain
    from harness.commands.report import print_tables
    from harness.core.errors import ConfigError

    def refused(*_: object, **__: object) -> None:
        raise ConfigError("two answers fit")

    bench.sweep(method=["fp32"])
    bench.run()
    monkeypatch.setattr(plain, "build", refused)
    console = Console(record=True)
    assert print_tables(console, bench.workspace, ["s"], {}) == 2
    assert "no table: two answers fit" in console.export_text()


@pytest.mark.parametrize("words", [("plan", "quickstart"), ("doctor",), ("--help",)])
def test_whoever_stops_reading_ends_a_command_without_a_word(words: tuple[str, ...]) -> None:
    """As `| head` does."""
    command = [sys.executable, "-m", "harness", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(timeout=120) in {1, 141}


def test_a_sweep_is_planned_and_run_under_the_plainest_locale_with_any_name_of_a_model(bench: Bench) -> None:
    """Names with spaces, dots and umlauts reach workers, files and tables whole, whatever the terminal's locale."""
    folder = bench.configs.parent / "Ein Modell v1.5 für alle"
    (bench.configs.parent / "model").rename(folder)
    bench._write("models.yaml", {"Modell v1.5 ü": {"folder": str(folder)}})
    bench.sweep(model="Modell v1.5 ü", method=["fp32"])
    place = ["--configs", str(bench.configs), "--results", str(bench.results)]
    plain = {**os.environ, "LC_ALL": "C", "LANG": "C"}
    for words in (["plan", "s"], ["run", "s"]):
        ran = subprocess.run(
            [sys.executable, "-m", "harness", *words, *place], capture_output=True, env=plain, check=False
        )
        assert ran.returncode == 0, ran.stderr.decode()
        assert "Modell v1.5 ü" in ran.stdout.decode("utf-8")
        assert b"Traceback" not in ran.stderr


@pytest.mark.parametrize("words", [["promote", "s"], ["--workspace", ".", "promote", "s"]])
def test_a_verb_of_0_1_is_refused_with_what_it_is_called_now(words: list[str]) -> None:
    said = harness(*words)
    assert (said.returncode, said.stderr) == (2, "`harness promote` is called `harness publish` now\n")


def test_an_option_of_0_1_is_refused_with_what_it_is_called_now() -> None:
    said = harness("run", "s", "--again", "quality")
    assert (said.returncode, said.stderr) == (2, "--again is called --rerun now\n")
