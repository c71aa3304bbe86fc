"""Tasks on a small model made anew, on our engines and on lm-eval's own Hugging Face backend: the same numbers and texts."""

from __future__ import annotations

import contextlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lm_eval")
pytest.importorskip("torch")

from harness.core.seam import Base, Context
from harness.core.sessions import GenerationWorkload
from harness.engines import ort_genai, ort_genai_opening, torch_loading, transformers
from harness.probes.groups import Finished
from harness.probes.lm_eval import Workload, measure
from harness.probes.lm_eval_model import ScoresModel, rolling
from harness.probes.lm_eval_prompts import Tally
from tests.tiny_model import EOS, VOCABULARY, write_tokenizer

TURN, CALL = "<|turn|>", "<|call|>"
"""Special tokens of the model that end no text."""
PROMPT = "the quick brown fox"
ENGINES = ["transformers", pytest.param("ort-genai", marks=pytest.mark.slow)]
UNICODE = "Ünïcödé – “quotes” 日本語 🙂 and a much longer end than the other choices have"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model whose greedy text after PROMPT has TURN as its 9th token and CALL as its 17th; its vocabulary is padded."""
    from tokenizers import Tokenizer

    folder = tmp_path_factory.mktemp("peer") / "model"
    folder.mkdir()
    write_tokenizer(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_special_tokens([TURN, CALL])
    tokenizer.save(str(folder / "tokenizer.json"))
    ids = tokenizer.encode(PROMPT).ids
    network = next(
        one for one in map(drawn, range(99)) if are_new(ids, greedy(one, ids, 24), tokenizer.token_to_id(TURN))
    )
    made = greedy(network, ids, 24)
    for place, name in ((8, TURN), (16, CALL)):
        exchange(network, made[place], tokenizer.token_to_id(name))
    network.save_pretrained(folder)
    return folder


def drawn(seed: int) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    return LlamaForCausalLM(LlamaConfig(
        vocab_size=VOCABULARY + 8, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=128, initializer_range=0.2, bos_token_id=0, eos_token_id=1,
    )).eval()  # fmt: skip


def are_new(ids: list[int], made: list[int], most: int) -> bool:
    """Say whether the 9th and the 17th token stand there for the first time, and none is special or padding."""
    first = all(made[place] not in ids + made[:place] for place in (8, 16))
    return first and all(1 < token < most for token in made)


def greedy(network: Any, ids: list[int], count: int) -> list[int]:
    import torch

    made: list[int] = []
    with torch.inference_mode():
        for _ in range(count):
            made.append(int(network(torch.tensor([ids + made])).logits[0, -1].argmax()))
    return made


def exchange(network: Any, one: int, other: int) -> None:
    """Let two tokens take each other's place in embedding and head."""
    import torch

    with torch.no_grad():
        for weight in (network.model.embed_tokens.weight, network.lm_head.weight):
            weight[[one, other]] = weight[[other, one]].clone()


def numbered(model: Path, ends: Any) -> Any:
    """Give the ids of special tokens by name, as one or as a list."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    return [tokenizer.token_to_id(one) for one in ends] if isinstance(ends, list) else tokenizer.token_to_id(ends)


def ending_at(model: Path, folder: Path, config: Any, generation: Any) -> Path:
    """Copy the model with these ends in config.json and in generation_config.json; None: no such file."""
    shutil.copytree(model, folder)
    written = json.loads((folder / "config.json").read_text("utf-8"))
    written["eos_token_id"] = numbered(model, config)
    (folder / "config.json").write_text(json.dumps(written), encoding="utf-8")
    path = folder / "generation_config.json"
    path.unlink(missing_ok=True)
    if generation is not None:
        path.write_text(json.dumps({"eos_token_id": numbered(model, generation), "bos_token_id": 0}), encoding="utf-8")
    return folder


@contextlib.contextmanager
def opened(model: Path, engine: str) -> Iterator[Any]:
    if engine == "transformers":
        with transformers.open_artifact(model, torch_loading.TransformersOptions(threads=1)) as session:
            yield session
        return
    from harness.quantizers.ort_genai import QUANTIZER

    out, run = model.with_name(f"{model.name} fp32"), model.with_name(f"{model.name} run")
    if not out.is_dir():
        out.mkdir()
        run.mkdir()
        with contextlib.redirect_stdout(sys.stderr):
            QUANTIZER.build(Base(model, "hf", model), QUANTIZER.options(precision="fp32"), out, Context(run))
    with ort_genai.open_artifact(out, ort_genai_opening.OrtGenaiEngineOptions(threads=1)) as session:
        yield session


def peer(model: Path, **more: Any) -> Any:
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=str(model), dtype="float32", device="cpu", batch_size=1, **more)


def both_texts(model: Path, engine: str, until: list[str]) -> tuple[str, str]:
    """Continue PROMPT by 24 tokens at most, here and with lm-eval's own backend."""
    from lm_eval.api.instance import Instance

    def asked() -> list[Any]:
        return [Instance("generate_until", {}, (PROMPT, {"until": until, "max_gen_toks": 24, "do_sample": False}), 0)]

    with opened(model, engine) as session:
        finished = Finished(session, Context(folder=model))
        ours = ScoresModel(session, Tally(), finished, lambda share: None, bos=session.codec.adds_bos)
        return ours.generate_until(asked())[0], peer(model).generate_until(asked(), disable_tqdm=True)[0]


@pytest.fixture(scope="module")
def pieces(model: Path) -> tuple[str, str, str]:
    """The text before TURN, up to CALL, and to the end, without special tokens."""
    with opened(model, "transformers") as session:
        made = session.greedy(session.codec.encode(PROMPT, bos=True), 24)
        assert [session.codec.decode([made[place]], special=True) for place in (8, 16)] == [TURN, CALL]
        cut = [session.codec.decode(made[:count]) for count in (8, 16, 24)]
    return cut[0], cut[1], cut[2]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("config", "generation", "piece"),
    [
        (EOS, None, 2), ([EOS, TURN], None, 0), ([EOS, CALL], None, 1), (EOS, [EOS, CALL], 1), (EOS, [CALL, TURN], 0),
        (TURN, [EOS, CALL], 1), (TURN, CALL, 1),
    ],
)  # fmt: skip
def test_a_text_ends_at_each_of_several_ends_wherever_they_are_named(
    model: Path, pieces: tuple[str, ...], tmp_path: Path, engine: str, config: Any, generation: Any, piece: int
) -> None:
    ours, theirs = both_texts(ending_at(model, tmp_path / "model", config, generation), engine, ["no such text"])
    assert ours == theirs == pieces[piece]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("until", "piece"), [([TURN], 0), ([CALL], 1), (["no such text", CALL, TURN], 0)])
def test_a_text_ends_at_a_stop_text_that_is_a_special_token(
    model: Path, pieces: tuple[str, ...], engine: str, until: list[str], piece: int
) -> None:
    ours, theirs = both_texts(model, engine, until)
    assert ours == theirs == pieces[piece]


def test_a_stop_text_inside_a_token_or_across_two_cuts_the_text_as_theirs(model: Path, pieces: tuple[str, ...]) -> None:
    whole = pieces[2]
    for stop in (whole[3:5], whole[5:6], whole[2:9]):
        ours, theirs = both_texts(model, "transformers", [stop])
        assert ours == theirs == whole[: whole.index(stop)]


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_generated_for_speed_holds_none_of_several_ends(model: Path, tmp_path: Path, engine: str) -> None:
    ended = ending_at(model, tmp_path / "model", EOS, [EOS, TURN, CALL])
    ends = set(numbered(model, [EOS, TURN, CALL]))
    with opened(ended, engine) as session:
        ids = tuple(session.codec.encode(PROMPT, bos=True))
        free = session.greedy(list(ids), 24)
        trace = session.generate(GenerationWorkload(1, (ids,), 24, 0, 1), lambda share: None)
    assert ends & set(free) == set(numbered(model, [TURN, CALL]))
    made = trace.ids.ravel().tolist()
    assert made[:8] == free[:8]
    assert len(made) == 24
    assert not ends & set(made)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))


ROWS = [
    {"ctx": "the dog and", "endings": [UNICODE, " the end", " a", "\nfox"], "label": 1},
    {"ctx": "Größe – 日本", "endings": [" é", " the quick brown fox and the lazy dog", UNICODE[:9]], "label": 0},
    {"ctx": "the lazy", "endings": [" dog", "dog dog dog dog dog"], "label": 1},
    {"ctx": "and 🙂", "endings": [" x" * 20, " ï", " fox and the dog"], "label": 2},
    {"ctx": "quick ", "endings": ["brown", " brown", "braun – sehr braun"], "label": 0},
]
"""Questions of two to four choices, of one to eighty tokens, with letters of two, three and four bytes."""


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("engine", ENGINES)
def test_accuracies_by_length_of_uneven_choices_in_any_script_are_those_of_lm_evals_own_backend(
    model: Path, tmp_path: Path, engine: str
) -> None:
    from lm_eval import evaluator

    from harness.probes.lm_eval_tasks import by_name

    data, task = tmp_path / "rows.jsonl", tmp_path / "choices.yaml"
    data.write_text("".join(json.dumps(row) + "\n" for row in ROWS), encoding="utf-8")
    metrics = [
        {"metric": name, "aggregation": "mean", "higher_is_better": True}
        for name in ("acc", "acc_norm", "acc_mutual_info")
    ]
    task.write_text(json.dumps({
        "task": "choices", "dataset_path": "json", "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test", "output_type": "multiple_choice", "doc_to_text": "{{ctx}}", "doc_to_target": "{{label}}",
        "doc_to_choice": "{{endings}}", "metric_list": metrics,
    }), encoding="utf-8")  # fmt: skip
    with opened(model, engine) as session:
        found = measure(session, Workload(task=str(task), shots=0), Context(folder=tmp_path))
    theirs = evaluator.evaluate(peer(model), by_name("", 0, task).evaluated, bootstrap_iters=0, log_samples=True)
    ours = {reading.metric.removeprefix("lm_eval."): reading for reading in found.values}
    rows = sorted(theirs["samples"]["choices"], key=lambda row: int(row["doc_id"]))
    for name in ("acc", "acc_norm", "acc_mutual_info"):
        assert ours[name].samples.tolist() == [row[name] for row in rows], name
        assert ours[name].value == theirs["results"]["choices"][f"{name},none"], name
    assert ours["acc"].samples.tolist() != ours["acc_norm"].samples.tolist(), "lengths matter here"
    for row, logs in zip(rows, found.arrays["choice_logprobs"], strict=True):
        right = [response[0] for response in row["filtered_resps"]]
        assert logs[: len(right)] == pytest.approx(right, abs=2e-3)
        assert (logs[len(right) :] == -1e30).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("bos", [False, True])
def test_whole_texts_have_the_log_likelihood_of_lm_evals_own_backend_with_and_without_bos(
    model: Path, engine: str, *, bos: bool
) -> None:
    """The longest is twice the context, so that windows roll; the shortest is one token."""
    from lm_eval.api.instance import Instance

    texts = ["the quick brown fox and the lazy dog and the end. " * 20, UNICODE, "x"]
    theirs = peer(model, add_bos_token=bos)
    expected = theirs.loglikelihood_rolling(
        [Instance("loglikelihood_rolling", {}, (text,), place) for place, text in enumerate(texts)], disable_tqdm=True
    )
    with opened(model, engine) as session:
        finished = Finished(session, Context(folder=model))
        ours = ScoresModel(session, Tally(), finished, lambda share: None, bos=bos)
        assert len(ours.tok_encode(texts[0])) > 1.5 * session.context_length
        assert ours.tok_encode(texts[1]) == theirs.tok_encode(texts[1])
        assert (ours.tok_encode(texts[1])[0] == session.codec.bos) is bos
        found = rolling(session, texts, ours.encoder, finished, lambda share: None)
    assert found == pytest.approx(expected, rel=1e-4)
