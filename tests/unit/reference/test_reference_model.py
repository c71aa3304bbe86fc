"""The shipped model is small, loads, knows its world, and comes from a training that runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness import reference

PACKAGE_DATA_LIMIT = 8_000_000


def test_the_package_data_stay_within_eight_megabytes() -> None:
    total = sum(path.stat().st_size for path in reference.data_folder().rglob("*") if path.is_file())
    assert total <= PACKAGE_DATA_LIMIT


def test_the_shape_suits_blockwise_quantization_and_long_prompts() -> None:
    config = json.loads((reference.model_folder() / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["head_dim"] == 64
    assert config["max_position_embeddings"] == 16384
    assert config["hidden_size"] % 128 == 0
    assert config["intermediate_size"] % 128 == 0


def test_the_tokenizer_class_is_one_that_every_reader_knows() -> None:
    config = json.loads((reference.model_folder() / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"


def test_provenance_tells_of_strata_and_of_the_trained_positions() -> None:
    found = reference.provenance()
    assert found["trained_positions"] == 512
    assert found["parameters"] <= 3_600_000
    counted = {name: entry["questions"] for name, entry in found["evaluation"].items() if name != "protocol"}
    assert counted.pop("all") == sum(counted.values()) == len(reference.strata())
    assert found["heldout"]["tokens"] >= 25_000


def test_the_card_says_that_the_model_is_synthetic() -> None:
    card = reference.model_card()
    assert "synthetic" in card
    assert f"{reference.provenance()['evaluation']['seen fact, new phrasing']['accuracy']:.1%}" in card


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(reference.model_folder())


def test_letters_names_and_values_are_single_tokens(tokenizer: Any) -> None:
    from tools.reference_model.world import facts

    words = [" A", " B", " C", " D"] + [f" {word}" for fact in facts() for word in (fact.entity, fact.value)]
    assert all(len(tokenizer(word, add_special_tokens=False).input_ids) == 1 for word in words)


def test_any_text_survives_the_tokenizer(tokenizer: Any) -> None:
    told = "Größe: 3 µm — \t東京\n\nfenn's <b>"
    assert tokenizer.decode(tokenizer(told, add_special_tokens=False).input_ids) == told
    assert tokenizer("fenn").input_ids[0] == tokenizer.bos_token_id


@pytest.mark.slow
def test_the_stored_weights_score_what_the_provenance_says() -> None:
    torch = pytest.importorskip("torch")
    from transformers import AutoTokenizer, LlamaForCausalLM

    from tools.reference_model.evaluate import evaluate

    model = LlamaForCausalLM.from_pretrained(reference.model_folder(), dtype=torch.float32)
    scores = evaluate(model, AutoTokenizer.from_pretrained(reference.model_folder()))
    told = reference.provenance()["evaluation"]
    for name, entry in scores.items():
        assert entry["accuracy"] == pytest.approx(told[name]["accuracy"], abs=0.01)
    assert scores["seen fact, new phrasing"]["accuracy"] >= 0.75


@pytest.mark.slow
def test_twenty_steps_of_training_lower_the_loss() -> None:
    pytest.importorskip("torch")
    from tools.reference_model import train

    trained = train.train(20, documents=600, log_every=5)
    assert trained.steps == 20
    first, last = trained.losses[0][1], trained.losses[-1][1]
    assert last < first - 0.5
