"""A model with random weights from a configuration: any architecture's speed without a download."""

from __future__ import annotations

import contextlib
import shutil
import sys
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from harness.core.errors import HarnessError, MissingDependency
from harness.core.options import Options
from harness.core.pipelines import PIPELINE
from harness.core.seam import Base, Built, Context, Facts, Quantizer
from harness.core.spec import Note
from harness.quantizers.folders import read_json
from harness.quantizers.random_pipeline import PARTS, write_pipeline

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "tokenizer.model")
_SPECIAL = ("<s>", "</s>")


class RandomOptions(Options):
    """What the weights are made from."""

    config: dict[str, Any]
    """The model's configuration as its config.json says it: model_type, vocab_size, hidden_size and so on."""
    seed: int = Field(default=0, ge=0)
    """Equal seeds give equal weights."""
    dtype: Literal["float32", "float16", "bfloat16"] = "float32"
    """Type in which the weights are saved."""

    @field_validator("config")
    @classmethod
    def _complete(cls, value: dict[str, Any]) -> dict[str, Any]:
        parts = PARTS if value.get("model_type") == PIPELINE else ()
        missing = [name for name in ("model_type", "vocab_size", *parts) if name not in value]
        if missing:
            raise ValueError(f"the configuration has no {' and no '.join(missing)}")
        return value


def build(base: Base, options: RandomOptions, out: Path, context: Context) -> Built:  # noqa: ARG001
    """Write configuration, seeded weights (as the architecture initializes) and a tokenizer; of `model_type: pipeline` a whole image pipeline.

    Raises: HarnessError where transformers does not know the architecture or the vocabulary is too small.
    """
    imports()
    if options.config["model_type"] == PIPELINE:
        parts = {name: options.config[name] for name in PARTS}
        size = int(options.config["vocab_size"])
        parameters = write_pipeline(parts, size, options.seed, options.dtype, out)
        return Built("diffusers", facts={"parameters": parameters, "random_seed": options.seed})
    tokenizer, notes = _write_tokenizer(out, int(options.config["vocab_size"]))
    context.progress(0.1, "making random weights")
    with contextlib.redirect_stdout(sys.stderr):
        parameters = _write_weights(options, tokenizer, out)
    return Built("hf", notes=tuple(notes), facts={"parameters": parameters, "random_seed": options.seed, **tokenizer})


def imports() -> None:
    """Import torch and transformers. Raises: MissingDependency where this environment lacks one."""
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            f"random weights need torch and transformers ({error}); `harness setup` installs them"
        ) from error


def refuse(options: RandomOptions, facts: Facts) -> str | None:
    """Name a package that an environment lacks, or has in too old a release."""
    more = ("diffusers",) if options.config["model_type"] == PIPELINE else ()
    return facts.wants("torch", "transformers", *more)


def _write_weights(options: RandomOptions, special: dict[str, Any], out: Path) -> int:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    given = dict(options.config)
    try:
        config = AutoConfig.for_model(given.pop("model_type"), **{**given, **special})
    except (ValueError, KeyError, TypeError) as error:
        raise HarnessError(f"transformers cannot read the configuration ({error}); correct it in models.yaml") from None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        model = AutoModelForCausalLM.from_config(config, dtype=getattr(torch, options.dtype), trust_remote_code=False)
    model.save_pretrained(out, safe_serialization=True)
    return int(model.num_parameters())


def _write_tokenizer(out: Path, vocabulary: int) -> tuple[dict[str, Any], list[Note]]:
    """Write the reference model's tokenizer where it fits, else byte-level; give its special token ids."""
    from harness import reference

    folder = reference.model_folder()
    if (folder / "tokenizer.json").is_file() and (config := read_json(folder / "config.json"))[
        "vocab_size"
    ] <= vocabulary:
        for name in _TOKENIZER_FILES:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, out / name)
        note = Note(
            code="stand-in-tokenizer", text="the tokenizer is the reference model's; the text means nothing to it"
        )
        return {name: config.get(name) for name in ("bos_token_id", "eos_token_id", "pad_token_id")}, [note]
    return _byte_level(out, vocabulary)


def _byte_level(out: Path, vocabulary: int) -> tuple[dict[str, Any], list[Note]]:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    needed = len(letters) + len(_SPECIAL)
    if vocabulary < needed:
        raise HarnessError(f"vocab_size {vocabulary} is too small for a tokenizer; a byte-level one needs {needed}")
    tokenizer = Tokenizer(models.BPE(vocab={letter: number for number, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    bos, eos = _SPECIAL
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=bos, eos_token=eos).save_pretrained(out)
    note = Note(code="stand-in-tokenizer", text="the tokenizer is a stand-in that takes each byte as a token")
    return {"bos_token_id": len(letters), "eos_token_id": len(letters) + 1, "pad_token_id": None}, [note]


QUANTIZER = Quantizer(
    name="random-weights",
    version=1,
    consumes=(),
    produces="hf",
    options=RandomOptions,
    packages=("torch", "transformers", "tokenizers", "diffusers"),
    build=build,
    refuse=refuse,
    imports=imports,
)
