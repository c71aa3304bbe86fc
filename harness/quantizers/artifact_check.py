"""Is a folder complete and readable? Asked of every input before it is used and of every output before it is sealed."""

from __future__ import annotations

import importlib.util
import json
import struct
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.folder_formats import Format
from harness.core.pipelines import lacking_part
from harness.quantizers.folders import graph_file, read_json

_TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model")
_HEADER_LIMIT = 100_000_000


def check_folder(path: Path, form: Format) -> None:
    """Refuse a folder that is not complete or whose files cannot be parsed.

    hf: config.json, a tokenizer, weights (each safetensors file's header and length are checked).
    ort-genai: genai_config.json, the graph that it names with its external weights, tokenizer.json. The graph is
    parsed where `onnx` is installed; without it only its presence is checked here and the engine parses it.
    diffusers: model_index.json, the parts that it names, weights of the one that is quantized.
    Raises: HarnessError naming the file and the remedy.
    """
    if not path.is_dir():
        raise HarnessError(f"the folder {path} does not exist; build or download it again")
    if form == "hf":
        _check_hf(path)
    elif form == "ort-genai":
        _check_genai(path)
    elif form == "diffusers" and (lacking := lacking_part(path)):
        raise HarnessError(f"{path} has no {lacking}; build or download it again")


def _check_hf(path: Path) -> None:
    config = read_json(path / "config.json")
    if "model_type" not in config:
        raise HarnessError(f"{path / 'config.json'} has no 'model_type'; it is not the configuration of a model")
    if not any((path / name).is_file() for name in _TOKENIZERS):
        raise HarnessError(
            f"no tokenizer in {path} ({' or '.join(_TOKENIZERS)}); copy the model's tokenizer files there"
        )
    for file in weight_files(path):
        if file.suffix == ".safetensors":
            check_safetensors(file)


def weight_files(path: Path) -> list[Path]:
    """List the files that hold a transformers folder's weights. Raises: HarnessError where one is missing."""
    index = path / "model.safetensors.index.json"
    if index.is_file():
        named = sorted(set(read_json(index).get("weight_map", {}).values()))
        missing = [name for name in named if not (path / name).is_file()]
        if missing or not named:
            what = f"weights file {missing[0]} is missing" if missing else "no weights are named"
            raise HarnessError(f"{what} in {path} (named in {index.name}); download the model again")
        return [path / name for name in named]
    found = sorted(path.glob("*.safetensors")) or sorted(path.glob("pytorch_model*.bin"))
    if not found:
        raise HarnessError(f"no weights in {path} (*.safetensors or pytorch_model*.bin); download the model again")
    return found


def check_safetensors(file: Path) -> None:
    """Refuse a safetensors file whose header does not parse or whose length does not fit its header."""
    try:
        flaw = _safetensors_flaw(file)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, struct.error) as error:
        flaw = f"its header does not parse: {error}"
    if flaw:
        raise HarnessError(f"{file} is a corrupt safetensors file ({flaw}); download or build it again")


def _safetensors_flaw(file: Path) -> str | None:
    there = file.stat().st_size
    with file.open("rb") as stream:
        length = struct.unpack("<Q", stream.read(8))[0]
        if length > min(_HEADER_LIMIT, there):
            return "its header is longer than the file"
        header = json.loads(stream.read(length))
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    needed = 8 + length + max(ends, default=0)
    return None if needed == there else f"{there} bytes, but its header needs {needed}"


def _check_genai(path: Path) -> None:
    graph = graph_file(path)
    if not (path / "tokenizer.json").is_file():
        raise HarnessError(f"tokenizer.json is missing in {path}; copy the model's tokenizer files there")
    if not graph.is_file() or not graph.stat().st_size:
        raise HarnessError(
            f"the graph {graph.name} is missing or empty in {path}; build or download the artifact again"
        )
    if importlib.util.find_spec("onnx") is not None:
        from harness.quantizers.graph_check import load_graph

        check_external(load_graph(graph), path)


def check_external(model: Any, path: Path) -> None:
    """Refuse a graph whose external weights are missing or shorter than it says."""
    sizes: dict[str, int] = {}
    for tensor in model.graph.initializer:
        if tensor.data_location != tensor.EXTERNAL:
            continue
        entry = {item.key: item.value for item in tensor.external_data}
        end = int(entry.get("offset", 0)) + int(entry.get("length", 0))
        sizes[entry["location"]] = max(end, sizes.get(entry["location"], 0))
    for name, needed in sorted(sizes.items()):
        file = path / name
        if not file.is_file():
            raise HarnessError(f"the weights file {name} is missing in {path}; build or download the artifact again")
        if file.stat().st_size < needed:
            raise HarnessError(
                f"{file} is truncated: {file.stat().st_size} bytes, but its graph needs {needed}; "
                "build or download the artifact again"
            )
