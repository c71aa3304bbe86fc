from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.core.identity import folder_sha256
from harness.core.options import problems_of
from harness.core.seam import Base, Facts
from harness.quantizers.artifact_check import check_folder
from harness.quantizers.random_pipeline import write_pipeline
from harness.quantizers.random_weights import QUANTIZER, RandomOptions
from tests.unit.quantizers.conftest import TINY, made


def test_the_same_seed_makes_the_same_folder_and_another_seed_does_not(tmp_path: Path, byte_model: Path) -> None:
    base = Base(tmp_path, "hf", tmp_path)
    again, _ = made(QUANTIZER, base, tmp_path / "again", {"config": TINY})
    other, _ = made(QUANTIZER, base, tmp_path / "other", {"config": TINY, "seed": 1})
    assert folder_sha256(again) == folder_sha256(byte_model)
    assert folder_sha256(other) != folder_sha256(byte_model)
    check_folder(again, "hf")


def test_the_tokenizer_fits_the_vocabulary_and_gives_every_text_back(byte_model: Path) -> None:
    from transformers import AutoTokenizer

    config = json.loads((byte_model / "config.json").read_text())
    tokenizer = AutoTokenizer.from_pretrained(byte_model)
    ids = tokenizer.encode("Grüße, 12 boats\n")
    assert max(ids) < config["vocab_size"]
    assert tokenizer.decode(ids) == "Grüße, 12 boats\n"
    assert config["eos_token_id"] == tokenizer.eos_token_id


def test_half_precision_weights_are_stored_as_such(tmp_path: Path) -> None:
    out, _ = made(QUANTIZER, Base(tmp_path, "hf", tmp_path), tmp_path / "half", {"config": TINY, "dtype": "bfloat16"})
    assert json.loads((out / "config.json").read_text())["dtype"] == "bfloat16"


def test_a_vocabulary_too_small_for_bytes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="needs 258"):
        made(QUANTIZER, Base(tmp_path, "hf", tmp_path), tmp_path / "small", {"config": TINY | {"vocab_size": 100}})


def test_a_configuration_without_model_type_is_refused_while_planning() -> None:
    assert problems_of(RandomOptions, {"config": {"vocab_size": 300}}, "random-weights")[0][0] == "config"


def test_an_unknown_architecture_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="lama9"):
        made(QUANTIZER, Base(tmp_path, "hf", tmp_path), tmp_path / "odd", {"config": TINY | {"model_type": "lama9"}})


PARTS_OF_ONE = {"model_type": "pipeline", "vocab_size": 78, "unet": {}, "vae": {}, "text_encoder": {}}


def test_a_pipeline_names_the_parts_that_it_lacks_and_letters_that_have_no_place(tmp_path: Path) -> None:
    left = {name: PARTS_OF_ONE[name] for name in ("model_type", "vocab_size", "vae")}
    ((field, said),) = problems_of(RandomOptions, {"config": left}, "random-weights")
    assert field == "config"
    assert "the configuration has no unet and no text_encoder" in said
    with pytest.raises(HarnessError, match="vocab_size 77 is too small for letters as tokens, which need 78"):
        write_pipeline({"unet": {}, "vae": {}, "text_encoder": {}}, 77, 1, "float32", tmp_path)


def test_a_pipeline_needs_diffusers_and_a_language_model_does_not() -> None:
    facts = Facts({"torch": "2.13.0", "transformers": "4.57.6"}, "Linux", name="cpu")
    assert QUANTIZER.refuse(RandomOptions(config=TINY), facts) is None
    assert QUANTIZER.refuse(RandomOptions(config=PARTS_OF_ONE), facts) == (
        "diffusers is not installed in environment cpu: take environment diffusers, which `harness setup --env diffusers` makes"
    )
