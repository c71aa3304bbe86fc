from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.core.seam import Base, problems_of
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


def test_a_failing_command_shows_its_last_lines(byte_model: Path, tmp_path: Path) -> None:
    options = {"run": "python -c \"import sys; print('so far'); sys.exit('no such scale')\" {base} {out}"}
    with pytest.raises(HarnessError, match=r"(?s)exit code 1:.*no such scale"):
        made(QUANTIZER, Base(byte_model, "hf", byte_model), tmp_path, options)


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


def test_a_script_that_is_not_there_is_found_while_planning() -> None:
    options = CommandOptions(run="python no_such_script.py --out {out}")
    with pytest.raises(HarnessError, match=r"no_such_script\.py"):
        contents(options)
