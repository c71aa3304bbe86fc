from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.core.options import problems_of
from harness.core.paths import MINE
from harness.core.seam import Base, Facts
from harness.quantizers.command import QUANTIZER, CommandOptions, contents
from tests.unit.quantizers.conftest import made

COPY = "import shutil, sys; print('copying'); shutil.copytree(sys.argv[2], sys.argv[4], dirs_exist_ok=True)"


def test_what_a_command_makes_is_checked_and_counted(byte_model: Path, fp32_export: Path, tmp_path: Path) -> None:
    script = tmp_path / "my quantize.py"
    script.write_text(COPY)
    base = Base(fp32_export, "ort-genai", byte_model)
    options = {"run": f"python '{script}' --in {{base}} --out {{out}}", "consumes": "ort-genai"}
    _, built = made(QUANTIZER, base, tmp_path / "build", options)
    assert built.layers == {"float32 gather": 1, "float32 matmul": 21}
    assert (tmp_path / "build" / "run" / "log.txt").read_text() == "copying\n"
    assert list(contents(CommandOptions.model_validate(options)).values()) == [script]


@pytest.mark.parametrize(("code", "told"), [
    ("import sys; print('so far'); sys.exit('no such scale\\n\\n')",
     "the command failed with exit code 1: no such scale; the rest is in log.txt"),
    ("raise SystemExit(3)", "the command failed with exit code 3 and printed nothing"),
    ("import os; os.kill(os.getpid(), 9)", "the command was ended by SIGKILL (memory may have run out) and printed nothing"),
    ("import os; print('loading', flush=True); os.abort()", "the command was ended by SIGABRT: loading; the rest is in log.txt"),
])  # fmt: skip
def test_a_failing_command_is_told_in_one_line(byte_model: Path, tmp_path: Path, code: str, told: str) -> None:
    with pytest.raises(HarnessError) as failed:
        made(QUANTIZER, Base(byte_model, "hf", byte_model), tmp_path, {"run": f'python -c "{code}" {{base}} {{out}}'})
    assert str(failed.value) == told


def test_a_command_that_wrote_nothing_is_told_so(byte_model: Path, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"the command wrote no genai_config\.json into .*; let it fill"):
        made(QUANTIZER, Base(byte_model, "hf", byte_model), tmp_path, {"run": "python -c pass {out}"})


def test_an_incomplete_result_is_refused(byte_model: Path, fp32_export: Path, tmp_path: Path) -> None:
    part = tmp_path / "part"
    shutil.copytree(fp32_export, part)
    (part / "tokenizer.json").unlink()
    script = tmp_path / "copy.py"
    script.write_text(COPY)
    with pytest.raises(HarnessError, match=r"tokenizer\.json is missing"):
        made(
            QUANTIZER,
            Base(part, "ort-genai", byte_model),
            tmp_path / "a",
            {"run": f"python {script} -i {{base}} -o {{out}}"},
        )


def test_a_command_that_cannot_start_is_an_error(byte_model: Path, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="cannot be started"):
        made(QUANTIZER, Base(byte_model, "hf", byte_model), tmp_path, {"run": "no-such-quantizer {out}"})


def test_a_base_of_the_wrong_format_is_refused(byte_model: Path, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="consumes ort-genai"):
        made(QUANTIZER, Base(byte_model, "hf", byte_model), tmp_path, {"run": "x {out}", "consumes": "ort-genai"})


def test_a_command_without_an_output_or_with_open_quotes_is_found_while_planning() -> None:
    assert "{out}" in problems_of(CommandOptions, {"run": "python q.py"}, "command")[0][1]
    assert "split" in problems_of(CommandOptions, {"run": "python 'q.py {out}"}, "command")[0][1]


def test_a_file_that_is_not_there_is_an_error() -> None:
    with pytest.raises(HarnessError, match=r"gone\.py"):
        contents(CommandOptions(run="x {out}", files=("gone.py",)))


def test_an_unknown_placeholder_is_found_while_planning() -> None:
    ((_, told),) = problems_of(CommandOptions, {"run": "python q.py {bse} {out}"}, "command")
    assert "unknown placeholder '{bse}'; did you mean '{base}'?" in told
    assert not problems_of(CommandOptions, {"run": "python -c \"print(f'{x}')\" {out}"}, "command")


def test_a_first_word_that_is_no_program_is_found_while_planning(tmp_path: Path) -> None:
    facts = Facts({}, "Linux", interpreter=Path(sys.executable))
    assert "program 'no-such-quantizer' was not found" in str(
        QUANTIZER.refuse(CommandOptions(run="no-such-quantizer {out}"), facts)
    )
    assert QUANTIZER.refuse(CommandOptions(run="python q.py {out}"), facts) is None
    script = tmp_path / "q.py"
    script.write_text("")
    with pytest.raises(HarnessError, match="begin it with 'python'"):
        contents(CommandOptions(run=f"'{script.as_posix()}' {{out}}"))


def test_a_script_is_looked_up_in_the_workspaces_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, home = tmp_path / "here", tmp_path / "home"
    for folder in (here, home):
        folder.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv(MINE, str(home))
    options = CommandOptions(run="python ./q.py {out}")
    (here / "q.py").write_text("")
    with pytest.raises(HarnessError, match=r"q\.py' is not there, in .*home; correct"):
        contents(options)
    (home / "q.py").write_text("")
    assert contents(options) == {"run:./q.py": home / "q.py"}


def test_a_script_that_is_not_there_is_found_while_planning() -> None:
    options = CommandOptions(run="python no_such_script.py --out {out}")
    with pytest.raises(HarnessError, match=r"no_such_script\.py"):
        contents(options)


def test_a_command_gets_no_variable_of_yours_that_its_recipe_does_not_name(
    byte_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "HF_TOKEN",
        "MY_SECRET",
        "AWS_ACCESS_KEY_ID",
        "X_API_KEY",
        "DB_PASSWORD",
        "TOKENIZERS_PARALLELISM",
        "MY_KEYS",
    ):
        monkeypatch.setenv(name, "x")
    asked = "['HF_TOKEN','MY_SECRET','AWS_ACCESS_KEY_ID','X_API_KEY','DB_PASSWORD','TOKENIZERS_PARALLELISM','MY_KEYS']"
    code = f"import os, sys; sys.exit(' '.join(name for name in {asked} if name in os.environ))"
    options = {"run": f'python -c "{code}" {{base}} {{out}}'}
    for place, (more, given) in enumerate(
        [
            ({}, "TOKENIZERS_PARALLELISM"),
            ({"variables": ["HF_TOKEN", "MY_KEYS"]}, "HF_TOKEN TOKENIZERS_PARALLELISM MY_KEYS"),
        ]
    ):
        with pytest.raises(HarnessError) as failed:
            made(QUANTIZER, Base(byte_model, "hf", byte_model), tmp_path / str(place), {**options, **more})
        assert f"exit code 1: {given}; the rest" in str(failed.value)
