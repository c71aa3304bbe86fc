from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError, Unsupported
from harness.core.seam import Facts
from harness.core.sessions import GenerationWorkload
from harness.engines.torch_loading import TransformersOptions
from harness.engines.transformers import ENGINE, open_artifact, refuse
from tests.model_kinds import KINDS, SINKS, Kind, Whole, token_ids, write_kind
from tests.tiny_model import write_model

ONE = TransformersOptions(threads=1)


def work(sampling: dict[str, float] | None = None, prompt: int = 20) -> GenerationWorkload:
    ids = np.random.default_rng(1).integers(2, 320, (2, prompt)).tolist()
    return GenerationWorkload(2, tuple(tuple(row) for row in ids), 6, 1, 3, sampling)


@pytest.mark.parametrize("sampling", [None, {"top_k": 50, "top_p": 0.9, "temperature": 0.7, "seed": 7}])
def test_every_step_of_every_repetition_is_timed(tiny: Path, sampling: dict[str, float] | None) -> None:
    told: list[float] = []
    with open_artifact(tiny / "hf", ONE) as session:
        trace = session.generate(work(sampling), told.append)
        assert session.load_seconds > 0
    assert trace.steps.shape == (3, 5)
    assert (trace.total >= trace.prefill + trace.first_token + trace.steps.sum(axis=1)).all()
    assert trace.peak_torch_bytes is None
    assert told == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_end_of_sequence_is_never_chosen_while_it_is_suppressed() -> None:
    import torch

    from harness.engines.torch_generation import _chooser

    logits = torch.tensor([[0.0, 9.0, 1.0], [0.0, 9.0, -1.0]])
    assert _chooser(work(), [1], "cpu", 0)(logits).tolist() == [[2], [0]]
    sampled = _chooser(work({"top_k": 2, "top_p": 1.0, "temperature": 1.0, "seed": 1}), [1], "cpu", 0)
    assert all(1 not in sampled(logits).flatten().tolist() for _ in range(20))


def test_eager_attention_and_half_precision_open_and_say_what_was_converted(tiny: Path, tmp_path: Path) -> None:
    with open_artifact(tiny / "hf", TransformersOptions(threads=1, attention="eager")) as session:
        assert session.notes == ()
        expected = session.greedy(list(range(2, 40)), 3)
    half = write_model(tmp_path / "half", dtype="float16")
    with open_artifact(half, ONE) as session:
        assert session.dtype == "float32"
        assert [note.code for note in session.notes] == ["weights-converted"]
        assert "float16" in session.notes[0].text
        assert len(session.greedy(list(range(2, 40)), 3)) == len(expected)
    with open_artifact(tiny / "hf", TransformersOptions(threads=1, dtype="bfloat16")) as session:
        rows = next(iter(session.logprobs([5, 6, 7], [0, 2]))).logprobs
        assert rows.dtype == np.float32
        assert rows.shape == (2, 320)


def test_cuda_without_a_device_is_an_error_not_a_fallback(tiny: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has CUDA")
    with (
        pytest.raises(HarnessError, match=r"asked for device cuda, but torch .* sees no CUDA device"),
        open_artifact(tiny / "hf", TransformersOptions(device="cuda")),
    ):
        pass


def damaged(tiny: Path, out: Path, name: str, content: bytes | None) -> Path:
    shutil.copytree(tiny / "hf", out)
    if content is None:
        (out / name).unlink()
    else:
        (out / name).write_bytes(content)
    return out


@pytest.mark.parametrize(("name", "content", "says"), [
    ("config.json", None, r"config\.json is missing"),
    ("tokenizer.json", None, r"tokenizer\.json is missing"),
    ("model.safetensors", None, "holds no weights"),
    ("model.safetensors", b"\x00" * 64, r"model\.safetensors is damaged"),
    ("model.safetensors.index.json", b'{"weight_map": {"a": "model-00002.safetensors"}}', r"model-00002\.safetensors is missing"),
])  # fmt: skip
def test_a_missing_or_damaged_file_is_named(
    tiny: Path, tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    folder = damaged(tiny, tmp_path / "model", name, content)
    with pytest.raises(HarnessError, match=says), open_artifact(folder, ONE):
        pass


def test_a_truncated_weight_file_is_named(tiny: Path, tmp_path: Path) -> None:
    whole = (tiny / "hf" / "model.safetensors").read_bytes()
    folder = damaged(tiny, tmp_path / "model", "model.safetensors", whole[:-100])
    with pytest.raises(HarnessError, match=r"model\.safetensors is damaged or incomplete"), open_artifact(folder, ONE):
        pass


def test_weights_that_the_file_lacks_are_not_made_up(tiny: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = damaged(tiny, tmp_path / "model", "special.txt", b"")
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("model.layers.1.mlp.up_proj.weight")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with (
        pytest.raises(HarnessError, match=r"lacks weights .* model\.layers\.1\.mlp\.up_proj"),
        open_artifact(folder, ONE),
    ):
        pass


def test_weights_that_are_not_numbers_give_an_error_with_the_position(tiny: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = damaged(tiny, tmp_path / "model", "special.txt", b"")
    tensors = load_file(folder / "model.safetensors")
    tensors["model.norm.weight"] *= float("nan")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(HarnessError, match="non-finite logits at position 0"), open_artifact(folder, ONE):
        pass


def test_a_configuration_of_transformers_5_is_read_and_one_that_version_4_cannot_hold_is_refused(
    tiny: Path, tmp_path: Path
) -> None:
    import transformers

    if int(transformers.__version__.split(".")[0]) >= 5:
        pytest.skip("this transformers reads rope_parameters")
    folder = damaged(tiny, tmp_path / "model", "special.txt", b"")
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config.pop("rope_theta", None)
    config["rope_parameters"] = {"rope_theta": 500000.0, "rope_type": "default"}
    path.write_text(json.dumps(config))
    with open_artifact(folder, ONE) as session:
        assert [note.code for note in session.notes] == ["config-translated"]
    config["rope_parameters"] = {
        "full_attention": {"rope_theta": 500000.0, "rope_type": "default"},
        "sliding_attention": {"rope_theta": 10000.0, "rope_type": "default"},
    }
    path.write_text(json.dumps(config))
    with pytest.raises(Unsupported, match="differ by the type of layer"), open_artifact(folder, ONE):
        pass


def test_weights_that_no_module_reads_are_told(tiny: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = damaged(tiny, tmp_path / "model", "special.txt", b"")
    tensors = load_file(folder / "model.safetensors")
    tensors["model.layers.0.self_attn.q_proj.bias"] = tensors["model.norm.weight"].clone()
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with open_artifact(folder, ONE) as session:
        (note,) = session.notes
    assert note.code == "weights-unread"
    assert "LlamaForCausalLM does not read model.layers.0.self_attn.q_proj.bias" in note.text


def test_soft_capped_attention_is_eager_by_itself_and_fused_attention_is_refused(tmp_path: Path) -> None:
    folder = write_kind(tmp_path / "model", "soft caps")
    with open_artifact(folder, ONE) as session:
        assert [note.code for note in session.notes] == ["eager-attention"]
    with (
        pytest.raises(HarnessError, match=r"caps its attention scores at 4\.0.*say `attention: eager`"),
        open_artifact(folder, TransformersOptions(threads=1, attention="sdpa")),
    ):
        pass


def test_attention_sinks_are_computed_and_fused_attention_is_refused_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(KINDS, "sinks", Kind("GptOss", {**SINKS, "rope_scaling": None}))
    folder = write_kind(tmp_path / "model", "sinks")
    for options in (ONE, TransformersOptions(threads=1, attention="eager")):
        with open_artifact(folder, options) as session:
            rows = np.concatenate([tile.logprobs for tile in session.logprobs(token_ids(80), range(80))])
        assert np.abs(rows - Whole(folder).rows(token_ids(80))).max() < 2e-3
    with (
        pytest.raises(HarnessError, match=r"transformers has none for GptOss; say `attention: eager`"),
        open_artifact(folder, TransformersOptions(threads=1, attention="sdpa")),
    ):
        pass


def test_generation_across_a_border_feeds_the_model_as_one_whole_pass_would(tmp_path: Path) -> None:
    folder = write_kind(tmp_path / "model", "longrope")
    ids = tuple(token_ids(86))
    with open_artifact(folder, ONE) as session:
        chosen: list[int] = []
        model = session._forward.model
        plain = model.forward

        def watched(**given: object) -> object:
            out = plain(**given)
            chosen.append(int(out.logits[0, -1].index_fill(-1, ends, float("-inf")).argmax()))
            return out

        import torch

        ends = torch.tensor(list(session.codec.ends))
        model.forward = watched
        session.generate(GenerationWorkload(1, (ids,), 9, 0, 1), lambda share: None)
        model.forward = plain
        expected = session.greedy(list(ids), 9, never=session.codec.ends)
    assert chosen == expected


def test_steps_of_a_model_that_gives_no_cache_are_not_timed(tmp_path: Path) -> None:
    ids = (tuple(token_ids(20)),)
    with open_artifact(write_kind(tmp_path / "model", "Mamba"), ONE) as session:
        assert session.generate(GenerationWorkload(1, ids, 1, 0, 1), lambda share: None).steps.shape == (1, 0)
        with pytest.raises(Unsupported, match="JambaForCausalLM gives no cache here"):
            session.generate(GenerationWorkload(1, ids, 3, 0, 1), lambda share: None)


def test_work_beyond_the_context_is_refused(tiny: Path) -> None:
    with (
        open_artifact(tiny / "hf", ONE) as session,
        pytest.raises(HarnessError, match="do not fit the context of 1024"),
    ):
        session.generate(work(prompt=1020), lambda share: None)


def test_plans_learn_why_a_device_cannot_be_had() -> None:
    both = {"torch": "2.13.0+cpu", "transformers": "4.57.6"}
    assert refuse(TransformersOptions(), Facts(both, "Linux")) is None
    assert "needs an NVIDIA GPU" in str(refuse(TransformersOptions(device="cuda:1"), Facts(both, "Linux")))
    assert "CUDA build" in str(refuse(TransformersOptions(device="cuda"), Facts(both, "Linux", ("T4",))))
    assert "torch is not installed" in str(refuse(TransformersOptions(), Facts({}, "Linux")))
    assert ENGINE.provider(TransformersOptions(device="cuda:1")) == "cuda"


def test_a_device_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="device"):
        TransformersOptions(device="tpu")


def test_tokens_generated_across_a_border_are_scored_as_they_were_generated(tmp_path: Path) -> None:
    from harness.probes.output_check import gaps_of

    folder = write_kind(tmp_path / "model", "longrope")
    prompt = token_ids(86)
    with open_artifact(folder, ONE) as session:
        trace = session.generate(GenerationWorkload(1, (tuple(prompt),), 12, 0, 1), lambda share: None)
        assert trace.ids is not None
        gaps = gaps_of(session, [prompt], trace.ids[0], lambda share: None)
        assert gaps.max() < 1e-3
        session.border = None
        assert gaps_of(session, [prompt], trace.ids[0], lambda share: None).max() > 0.05
