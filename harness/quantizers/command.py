"""A quantizer that is a command line: a script that is not released yet, or a fork, becomes a method as it is."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from pydantic import field_validator

from harness.core.errors import HarnessError, unknown
from harness.core.seam import Base, Built, Context, Format, Options, Quantizer
from harness.quantizers import graph_check
from harness.quantizers.artifact_check import check_folder
from harness.quantizers.folders import graph_file

LOG = "log.txt"
_PYTHON = frozenset({"python", "python3"})
PACKAGES = (
    "accelerate", "auto-round", "autoawq", "bitsandbytes", "compressed-tensors", "gptqmodel", "llmcompressor", "numpy",
    "nvidia-modelopt", "olive-ai", "onnx", "onnxruntime", "onnxruntime-directml", "onnxruntime-genai", "onnxruntime-genai-cuda",
    "onnxruntime-genai-directml", "onnxruntime-gpu", "optimum", "safetensors", "tokenizers", "torch", "torchao", "transformers",
)  # fmt: skip
"""What a script may stand on: nobody can know, so all that quantizes or converts counts where it is installed."""
_SECRET = re.compile(
    r"TOKEN(?!IZERS)|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|(API|ACCESS|PRIVATE|ACCOUNT)_?KEY|_KEY$|_PAT$",
    re.IGNORECASE,
)
"""Names of what an account is entered with; TOKENIZERS_PARALLELISM is none."""
_PLACES = ("{base}", "{out}", "{model}")
_MAIN = {"hf": "config.json", "ort-genai": "genai_config.json"}
_PROJECT = Path(os.environ.get("HARNESS_WORKSPACE") or Path(__file__).resolve().parents[2])


class CommandOptions(Options):
    """A command line and what it reads."""

    run: str
    """Words of a command, quoted as in a shell but run without one: `python my_quantize.py --in {base} --out {out}`.

    {base} is the folder it starts from, {out} the empty folder to fill, {model} the model's own folder; a first word
    `python` is the interpreter of the build's environment. Files are looked up from where harness was started, then
    from the workspace's folder.
    """
    consumes: Format | None = None
    """Format that the base must have; any where not said."""
    produces: Format = "ort-genai"
    """Format that the command leaves in {out}."""
    files: tuple[str, ...] = ()
    """Further files whose content can change the artifact; files named in `run` count by themselves."""
    variables: tuple[str, ...] = ()
    """Environment variables that it is given although their names say secret, as `HF_TOKEN`; such are kept from it else."""

    @field_validator("run")
    @classmethod
    def _fills_out(cls, value: str) -> str:
        try:
            found = words(value)
        except ValueError as error:
            raise ValueError(f"the command cannot be split into words ({error})") from None
        for before, word in zip(["", *found], found, strict=False):
            for place in () if before == "-c" else re.findall(r"\{\w*\}", word):  # code has braces of its own
                if place not in _PLACES:
                    raise ValueError(unknown("placeholder", place, _PLACES))
        if not any("{out}" in word for word in found):
            raise ValueError("the command must contain {out}, the folder to fill")
        return value


def words(run: str) -> list[str]:
    """Split a command line into words, by the rules of the system that it runs on."""
    if os.name == "posix":
        return shlex.split(run)
    return [word.strip("\"'") for word in shlex.split(run, posix=False)]


def contents(options: CommandOptions) -> Mapping[str, Path]:
    """List the files whose content goes into the key: those named in the command, and `files`.

    Raises: HarnessError where one of `files`, a script or the program itself is not there.
    """
    made = words(options.run)
    found = {f"run:{word}": path for word in made if (path := _file(word))}
    for word in made:
        if word.endswith(".py") and not _has_place(word) and not _file(word):
            raise HarnessError(f"the command's script '{word}' is not there{_looked(word)}; correct its path")
    for name in options.files:
        path = _file(os.path.expandvars(name))
        if path is None:
            raise HarnessError(f"file '{name}' of the command quantizer is not there{_looked(name)}; correct its path")
        found[f"file:{name}"] = path
    _check_program(made[0])
    return found


def _check_program(word: str) -> None:
    if word in _PYTHON or _has_place(word) or shutil.which(_located(word)):
        return
    remedy = "begin it with 'python'" if word.endswith(".py") else "install it, or give its path"
    raise HarnessError(f"the command's program '{word}' was not found; {remedy}")


def _has_place(word: str) -> bool:
    return any(place in word for place in _PLACES)


def _file(word: str) -> Path | None:
    """Find the file that a word names: from the working folder, which is the worker's too, then from the project's."""
    path = Path(word).expanduser()
    return None if _has_place(word) else next((at for at in (path, _PROJECT / path) if at.is_file()), None)


def _located(word: str) -> str:
    """Give a word as the command gets it: a file that is not under the word itself by its path."""
    path = _file(word)
    return word if path in (None, Path(word)) else str(path)


def _looked(word: str) -> str:
    path = Path(word).expanduser()
    if path.is_absolute():
        return ""
    return ", in " + " or in ".join(dict.fromkeys((str(Path.cwd()), str(_PROJECT))))


def build(base: Base, options: CommandOptions, out: Path, context: Context) -> Built:
    """Run the command and check that what it left is a complete artifact; its weights are counted, not judged.

    What the command prints goes to the run's log. Raises: HarnessError with its last line where it fails.
    """
    if options.consumes and base.format != options.consumes:
        raise HarnessError(f"the command consumes {options.consumes}, but its base {base.path} is {base.format}")
    _run(filled(options.run, base, out), context.folder / LOG, without_secrets(os.environ, options.variables))
    wanted = _MAIN.get(options.produces)
    if wanted and not (out / wanted).is_file():
        raise HarnessError(f"the command wrote no {wanted} into {out}; let it fill the folder that {{out}} names")
    check_folder(out, options.produces)
    if options.produces != "ort-genai":
        return Built(options.produces)
    graph = graph_file(out)
    return Built("ort-genai", graph_check.counts(graph_check.read_weights(graph_check.load_graph(graph), graph.name)))


def filled(run: str, base: Base, out: Path) -> list[str]:
    """Put folders and files found into the words of a command, and this interpreter where it begins with `python`."""
    places = dict(zip(_PLACES, (str(base.path), str(out), str(base.model)), strict=True))
    made = [_located(word) for word in words(run)]
    for place, path in places.items():
        made = [word.replace(place, path) for word in made]
    return [sys.executable, *made[1:]] if made[0] in _PYTHON else made


def without_secrets(variables: Mapping[str, str], named: Collection[str] = ()) -> dict[str, str]:
    """Return the environment variables whose names do not say that they hold a secret, and those that are named."""
    return {name: value for name, value in variables.items() if name in named or not _SECRET.search(name)}


def _run(command: list[str], log: Path, variables: Mapping[str, str]) -> None:
    with log.open("ab") as stream:
        began = stream.tell()
        try:
            code = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, check=False, env=variables
            ).returncode
        except OSError as error:
            raise HarnessError(f"the command '{command[0]}' cannot be started ({error}); correct 'run'") from None
    if code:
        with log.open("rb") as written:
            written.seek(began)
            said = [line.strip() for line in written.read().decode(errors="replace").splitlines() if line.strip()]
        what = f": {said[-1]}; the rest is in {LOG}" if said else " and printed nothing"
        raise HarnessError(f"the command failed with exit code {code}{what}")


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
