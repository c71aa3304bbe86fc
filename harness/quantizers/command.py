"""A quantizer that is a command line: a script that is not released yet, or a fork, becomes a method as it is."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from pydantic import field_validator

from harness.core.errors import HarnessError
from harness.core.seam import Base, Built, Context, Format, Options, Quantizer
from harness.quantizers import graph_check
from harness.quantizers.artifact_check import check_folder
from harness.quantizers.folders import graph_file

LOG = "log.txt"
_LAST_LINES = 20
_PYTHON = frozenset({"python", "python3"})
PACKAGES = (
    "accelerate", "auto-round", "autoawq", "bitsandbytes", "compressed-tensors", "gptqmodel", "llmcompressor", "numpy",
    "nvidia-modelopt", "olive-ai", "onnx", "onnxruntime", "onnxruntime-directml", "onnxruntime-genai", "onnxruntime-genai-cuda",
    "onnxruntime-genai-directml", "onnxruntime-gpu", "optimum", "safetensors", "tokenizers", "torch", "torchao", "transformers",
)  # fmt: skip
"""What a script may stand on: nobody can know, so all that quantizes or converts counts where it is installed."""
_PLACES = ("{base}", "{out}", "{model}")


class CommandOptions(Options):
    """A command line and what it reads."""

    run: str
    """Words of a command, quoted as in a shell but run without one: `python my_quantize.py --in {base} --out {out}`.

    {base} is the folder it starts from, {out} the empty folder to fill, {model} the model's own folder; a first word
    `python` is the interpreter of the build's environment.
    """
    consumes: Format | None = None
    """Format that the base must have; any where not said."""
    produces: Format = "ort-genai"
    files: tuple[str, ...] = ()
    """Further files whose content can change the artifact; files named in `run` count by themselves."""

    @field_validator("run")
    @classmethod
    def _fills_out(cls, value: str) -> str:
        try:
            found = words(value)
        except ValueError as error:
            raise ValueError(f"the command cannot be split into words ({error})") from None
        if not any("{out}" in word for word in found):
            raise ValueError("the command names no {out}, the folder that it has to fill")
        return value


def words(run: str) -> list[str]:
    """Split a command line into words, by the rules of the system that it runs on."""
    if os.name == "posix":
        return shlex.split(run)
    return [word.strip("\"'") for word in shlex.split(run, posix=False)]


def contents(options: CommandOptions) -> Mapping[str, Path]:
    """List the files whose content goes into the key: those named in the command, and `files`.

    Raises: HarnessError where one of `files`, or a script, is not there.
    """
    named = {
        word: Path(word).expanduser() for word in words(options.run) if not any(place in word for place in _PLACES)
    }
    for word, path in named.items():
        if word.endswith(".py") and not path.is_file():
            raise HarnessError(f"the command's script '{word}' is not there ({path.absolute()}); correct its path")
    found = {f"run:{word}": path for word, path in named.items() if path.is_file()}
    for name in options.files:
        path = Path(os.path.expandvars(name)).expanduser()
        if not path.is_file():
            raise HarnessError(f"file '{name}' of the command quantizer is not there ({path}); correct its path")
        found[f"file:{name}"] = path
    return found


def build(base: Base, options: CommandOptions, out: Path, context: Context) -> Built:
    """Run the command and check that what it left is a complete artifact; its weights are counted, not judged.

    What the command prints goes to the run's log. Raises: HarnessError with its last lines where it fails.
    """
    if options.consumes and base.format != options.consumes:
        raise HarnessError(f"the command consumes {options.consumes}, but its base {base.path} is {base.format}")
    _run(filled(options.run, base, out), context.folder / LOG)
    check_folder(out, options.produces)
    if options.produces != "ort-genai":
        return Built(options.produces)
    graph = graph_file(out)
    return Built("ort-genai", graph_check.counts(graph_check.read_weights(graph_check.load_graph(graph), graph.name)))


def filled(run: str, base: Base, out: Path) -> list[str]:
    """Put the folders into the words of a command, and this interpreter where it begins with `python`."""
    places = dict(zip(_PLACES, (str(base.path), str(out), str(base.model)), strict=True))
    made = words(run)
    for place, path in places.items():
        made = [word.replace(place, path) for word in made]
    return [sys.executable, *made[1:]] if made[0] in _PYTHON else made


def _run(command: list[str], log: Path) -> None:
    with log.open("ab") as stream:
        began = stream.tell()
        try:
            code = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, check=False
            ).returncode
        except OSError as error:
            raise HarnessError(f"the command '{command[0]}' cannot be started ({error}); correct 'run'") from None
    if code:
        with log.open("rb") as written:
            written.seek(began)
            last = written.read().decode(errors="replace").splitlines()[-_LAST_LINES:]
        raise HarnessError("\n".join([f"the command '{shlex.join(command)}' failed with exit code {code}:", *last]))


QUANTIZER = Quantizer(
    name="command",
    version=1,
    consumes=("hf", "ort-genai"),
    produces="ort-genai",
    options=CommandOptions,
    packages=PACKAGES,
    build=build,
    contents=contents,
    consumes_field="consumes",
    produces_field="produces",
)
