"""From a GGUF to a folder in the hub's layout: `python -m harness.gguf.convert FILE OUT`, in an environment with its libraries."""

from __future__ import annotations

import contextlib
import inspect
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.core import privacy
from harness.core.errors import HarnessError, MissingDependency
from harness.core.files import write_whole
from harness.gguf.contents import GgufContents, read
from harness.gguf.vocabulary import HARD_TEXT, check, settings_of, tokenizer_of, vocabulary_of

VERSION = 1
"""Raise it when the same file gives another folder."""
FACTS = ".gguf.json"
"""What a folder was made from; no part of its content."""
_CHECKED_CHARACTERS = 50_000
_NOT_READ = ("rope.scaling", "softcap", "sliding_window", "expert")
"""Parts of keys that change what a model computes; where transformers does not read them, it would compute something else."""


def convert(file: Path, out: Path) -> None:
    """Dequantize a GGUF's weights to float32 and write them with configuration and tokenizer into an empty folder.

    Raises: HarnessError where the file is damaged, transformers cannot read its architecture or part of it, or the
    tokenizer cannot be rebuilt; MissingDependency without the libraries.
    """
    found = read(file)
    known = vocabulary_of(found)
    architecture = _architecture(found)
    _check_fields(found, architecture)
    tokenizer = tokenizer_of(known)
    check(tokenizer, known, HARD_TEXT + _shipped_text()[:_CHECKED_CHARACTERS])
    model = _dequantized(found)
    _check_vocabulary(model, known.tokens, file)
    _check_rotation(model.config, found)
    model.save_pretrained(out, safe_serialization=True)
    tokenizer.save(str(out / "tokenizer.json"))
    context = found.field(f"{found.architecture}.context_length")
    settings = settings_of(known, context, found.field("tokenizer.chat_template"))
    write_whole(out / "tokenizer_config.json", json.dumps(settings, ensure_ascii=False, indent=1))
    facts = {"quantized": found.quantized, "architecture": found.architecture, "name": found.field("general.name", "")}
    write_whole(out / FACTS, json.dumps(facts))


def _shipped_text() -> str:
    from harness.texts import REFERENCE, read_text

    return read_text(REFERENCE)


def _architecture(found: GgufContents) -> Any:
    """Give the keys that transformers reads of an architecture. Raises: HarnessError where it reads none."""
    try:
        from transformers.integrations.ggml import GGUF_CONFIG_MAPPING
    except ImportError as error:
        raise MissingDependency(
            f"a GGUF is read through transformers and torch ({error}); `harness setup` installs them"
        ) from error
    name = found.architecture
    if name not in GGUF_CONFIG_MAPPING or name in {"general", "tokenizer"}:
        known = ", ".join(sorted(set(GGUF_CONFIG_MAPPING) - {"general", "tokenizer"}))
        raise HarnessError(
            f"{found.path.name} is of architecture '{name}', which the installed transformers cannot read from a GGUF "
            f"(it reads {known}); use the model's own folder or hub id"
        )
    return GGUF_CONFIG_MAPPING[name]


def _check_fields(found: GgufContents, mapping: Any) -> None:
    """Find what would be computed differently because transformers passes over it."""
    prefix = f"{found.architecture}."
    given = {key.removeprefix(prefix): value for key, value in found.fields.items() if key.startswith(prefix)}
    passed = sorted(
        key
        for key, value in given.items()
        if key not in mapping and any(part in key for part in _NOT_READ) and value not in (0, "none")
    )
    if passed:
        raise HarnessError(
            f"{found.path.name} says {', '.join(prefix + key for key in passed)}, which the installed transformers does not read "
            "from a GGUF; the model would compute something else: use its own folder or hub id"
        )


def _dequantized(found: GgufContents) -> Any:
    """Load the weights as float32. Raises: HarnessError where transformers fails or leaves some out, either way."""
    import torch
    from transformers import AutoModelForCausalLM

    path = found.path
    try:
        with contextlib.redirect_stdout(sys.stderr):
            model, info = AutoModelForCausalLM.from_pretrained(
                str(path.parent),
                gguf_file=path.name,
                dtype=torch.float32,
                output_loading_info=True,
                trust_remote_code=False,
            )
    except (
        ValueError,
        KeyError,
        IndexError,
        RuntimeError,
        NotImplementedError,
        OSError,
        TypeError,
        AttributeError,
    ) as error:
        raise HarnessError(
            f"transformers cannot read {path.name}: {(str(error).strip().splitlines() or ['no reason given'])[0]}"
        ) from error
    missing = sorted(set(info["missing_keys"]) - set(getattr(model, "_tied_weights_keys", None) or ()))
    if missing:
        raise HarnessError(
            f"{path.name} lacks weights that its architecture needs ({', '.join(missing[:3])}); get the file again"
        )
    left = sorted(set(found.tensors) - _read_tensors(model, found.architecture))
    if left:
        raise HarnessError(
            f"{path.name} holds weights that the installed transformers does not read ({', '.join(left[:3])}); the model would "
            "compute something else: use its own folder or hub id"
        )
    return _plain(model, path)


def _plain(model: Any, path: Path) -> Any:
    """Take off what transformers 5 remembers of the GGUF's types, with which it would not save the floats that it made of them."""
    import torch

    packed = [name for name, weight in model.state_dict().items() if weight.is_floating_point() is False]
    if packed or any(weight.dtype != torch.float32 for weight in model.parameters()):
        raise HarnessError(
            f"transformers left weights of {path.name} packed ({', '.join(packed[:3]) or 'not float32'}); convert it in environment cpu"
        )
    quantizer = getattr(model, "hf_quantizer", None)
    if quantizer is not None:
        quantizer.remove_quantization_config(model)
    return model


def _read_tensors(model: Any, architecture: str) -> set[str]:
    """Name the tensors that transformers puts somewhere; its version 5 asks for the architecture's processor of tensors."""
    from transformers import modeling_gguf_pytorch_utils as reader

    if "processor" not in inspect.signature(reader.get_gguf_hf_weights_map).parameters:
        return set(reader.get_gguf_hf_weights_map(model))
    processor = reader.TENSOR_PROCESSORS.get(architecture, reader.TensorProcessor)
    return set(reader.get_gguf_hf_weights_map(model, processor(config=model.config.to_dict())))


def _check_vocabulary(model: Any, tokens: Sequence[str], file: Path) -> None:
    rows = model.get_input_embeddings().weight.shape[0]
    if rows < len(tokens):
        raise HarnessError(f"{file.name} has {len(tokens)} tokens and an embedding of {rows} rows; get the file again")


def _check_rotation(config: Any, found: GgufContents) -> None:
    """Find heads that are rotated in part only, which transformers does not read from a GGUF of most architectures."""
    turned = found.field(f"{found.architecture}.rope.dimension_count")
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    told = int(head * getattr(config, "partial_rotary_factor", 1.0))
    if turned is not None and turned != told:
        raise HarnessError(
            f"{found.path.name} rotates {turned} of {head} positions of a head, and transformers would rotate {told}; use the "
            "model's own folder or hub id"
        )


def main() -> None:
    """Convert, and say what is wrong in one line: exit code 2."""
    if privacy.is_offline():
        privacy.forbid_sockets()
    try:
        convert(Path(sys.argv[1]), Path(sys.argv[2]))
    except (HarnessError, MissingDependency) as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)


if __name__ == "__main__":
    main()
