"""AWQ's search for scales on a CPU, with ModelOpt's own result in a fraction of its time, and word of how far it is.

For each layer ModelOpt compares eleven scalings by the squared error of the layer's output over all calibration tokens: eleven products
of tokens x inputs x outputs. That error is also a quadratic form of the weights' error in the second moments of the
activations, which are summed up once. So all scalings are judged by the form; those within a margin of the best, where the
two ways could disagree by rounding, are computed as ModelOpt does, and the first of the smallest wins, as there. What is
chosen, and with it every byte of the artifact, is the same. Activations that several layers read are computed once, as many
at a time as memory allows, where ModelOpt runs all texts through the whole model again for every layer.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARGIN = 1e-3
"""Candidates within this share of the smallest error are computed in full; on real layers the two ways differ by less than 1e-5."""
MEMORY_BYTES = 2 << 30
"""Activations that are held at once."""
_FLOAT32 = 1
"""onnx.TensorProto.FLOAT."""

_SEARCHES = "Running"
"""How ModelOpt's own loops over layers begin that take nearly all of the time."""

Progress = Callable[[float | None, str], None]
"""Told a share of the search, None where it has not moved, and what is done."""


@dataclass(frozen=True)
class _Layer:
    """One weight that is multiplied: its place in ModelOpt's list, the activation it reads, its inputs."""

    place: int
    activation: str
    weight: Any
    turned: bool

    @property
    def inputs(self) -> int:
        return int(self.weight.dims[1 if self.turned else 0])


@contextlib.contextmanager
def quick_search(progress: Progress) -> Iterator[None]:
    """Let the quantizer tell how far it is, and search scales this way where there is no cupy, for the time of a call."""
    from modelopt.onnx.quantization import int4

    original, bar = int4.run_awq_scale_search_per_node, int4.tqdm

    def search(*given: Any, **more: Any) -> Any:
        quick = not int4.has_cupy and all(weight.data_type == _FLOAT32 for _, weight, *_ in given[0])
        return _search(progress, *given, **more) if quick else original(*given, **more)

    def told(items: Any, desc: str = "", **_: Any) -> Iterator[Any]:
        total = len(items)
        for number, item in enumerate(items):
            share = number / max(1, total) if desc.startswith(_SEARCHES) else None
            progress(share, f"{desc.rstrip('.').lower()}, {number + 1} of {total}")
            yield item

    int4.run_awq_scale_search_per_node, int4.tqdm = search, told
    try:
        yield
    finally:
        int4.run_awq_scale_search_per_node, int4.tqdm = original, bar


def _search(
    progress: Progress, wa_pack: Any, path: str, block_size: int, use_zero_point: bool, session: Any, awq_lite: Any,
    inputs: Sequence[Mapping[str, Any]], _message: str, clips: bool, fast: bool, output_data: Any, clip_alphas: Any,
    layer_info: Any = None, **more: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """Do what `run_awq_scale_search_per_node` of nvidia-modelopt 0.47 does; see there for what is given."""
    layers = [_Layer(place, act.name, weight, turned) for place, (act, weight, turned, *_) in enumerate(wa_pack)]
    options = {"block_size": block_size, "use_zero_point": use_zero_point, "layer_info": layer_info}
    done = 0
    for group, texts in _held(output_data, layers) if fast else _computed(session, inputs, layers):
        moments = _moments(texts)
        for layer in group:
            progress(done / len(layers), f"searching scales, layer {done + 1} of {len(layers)}")
            weight = _weight(layer, path)
            found, size, bits = _scaled(layer, weight, texts, moments, options, more)
            awq_lite[layer.place] = found
            if clips:
                clip_alphas[layer.weight.name] = _clipped(texts, weight, found, size, bits, more)
            done += 1
    return awq_lite, clip_alphas


def _groups(layers: Sequence[_Layer]) -> dict[str, list[_Layer]]:
    groups: dict[str, list[_Layer]] = {}
    for layer in layers:
        groups.setdefault(layer.activation, []).append(layer)
    return groups


def _held(output_data: Any, layers: Sequence[_Layer]) -> Iterator[tuple[list[_Layer], Any]]:
    """Take activations that were kept of one pass over all texts, and let go of them."""
    for group in _groups(layers).values():
        texts = [text[group[0].place] for text in output_data]
        for text in output_data:
            for layer in group:
                text[layer.place] = None
        yield group, _joined(texts, group[0].inputs)


def _computed(
    session: Any, inputs: Sequence[Mapping[str, Any]], layers: Sequence[_Layer]
) -> Iterator[tuple[list[_Layer], Any]]:
    """Run all texts once for as many activations as memory allows, then for the next ones."""
    groups = _groups(layers)
    tokens = sum(int(one["input_ids"].size) for one in inputs)
    left = list(groups)
    while left:
        names, held = list[str](), 0
        while left and (not names or held + 4 * tokens * groups[left[0]][0].inputs <= MEMORY_BYTES):
            names.append(left.pop(0))
            held += 4 * tokens * groups[names[-1]][0].inputs
        outputs = [session.run(names, dict(one)) for one in inputs]
        for place, name in enumerate(names):
            texts = [output[place] for output in outputs]
            for output in outputs:
                output[place] = None
            yield groups[name], _joined(texts, groups[name][0].inputs)


def _joined(texts: list[Any], inputs: int) -> Any:
    import numpy as np

    return np.concatenate(texts, axis=0).reshape((-1, inputs))


def _moments(texts: Any) -> Any:
    """Sum up products of activations over tokens: float32 [inputs, inputs], added in float64."""
    import numpy as np

    total = np.zeros((texts.shape[1],) * 2, dtype=np.float64)
    for start in range(0, len(texts), 512):
        part = texts[start : start + 512]
        total += part.T @ part
    return total.astype(np.float32)


def _weight(layer: _Layer, path: str) -> Any:
    from onnx import numpy_helper

    weight = numpy_helper.to_array(layer.weight, base_dir=str(Path(path).parent)).copy()
    return weight.T if layer.turned else weight


def _scaled(
    layer: _Layer, weight: Any, texts: Any, moments: Any, options: Mapping[str, Any], more: Mapping[str, Any]
) -> tuple[Any, int, int]:
    """Choose a layer's scaling; returns ModelOpt's record of it, and the block size and bits that hold for the layer."""
    from modelopt.onnx.quantization import int4

    name, info = layer.weight.name, options["layer_info"]
    bits = int4.get_num_bits(info, name)
    size = int4.update_block_size(options["block_size"], info, name, w=weight)
    found = int4.AWQLiteHelper(texts, weight, size, **more)

    def rounded(alpha: float) -> tuple[Any, Any]:
        scale = int4.get_scale(found.act_scale, found.weight_scale, alpha)
        scaled = weight * scale[:, None]
        quantized, steps, zero = int4.quant_tensor(
            scaled, size, use_zero_point=options["use_zero_point"], num_bits=bits
        )
        return scale, int4.dq_tensor(quantized, steps, size, zp=zero)

    judged = {alpha: _judged(weight, *rounded(alpha), moments, len(texts)) for alpha in found.loss}
    border = min(judged.values()) * (1 + MARGIN)
    close = [alpha for alpha, error in judged.items() if not error > border]  # errors that are not numbers stay in
    exact = (
        _exact(texts, weight, {alpha: rounded(alpha) for alpha in close})
        if len(close) > 1
        else dict.fromkeys(close, 0.0)
    )
    found.loss = {alpha: exact.get(alpha, float("inf")) for alpha in found.loss}
    found.update_best_params()
    return found, size, bits


def _judged(weight: Any, scale: Any, rounded: Any, moments: Any, tokens: int) -> float:
    """Give the mean squared error of a layer's output as a quadratic form of its weights' error."""
    import numpy as np

    error = weight - rounded / scale[:, None]
    total = np.einsum("ij,ij->", error, moments @ error, dtype=np.float64)
    return float(total / (tokens * weight.shape[1]))


def _exact(texts: Any, weight: Any, candidates: Mapping[float, tuple[Any, Any]]) -> dict[float, float]:
    """Compute errors as ModelOpt does, operation by operation."""
    import numpy as np

    wanted = texts.__matmul__(weight)
    return {
        alpha: np.mean(np.power((wanted - (texts * 1.0 / scale).__matmul__(rounded)), 2))
        for alpha, (scale, rounded) in candidates.items()
    }


def _clipped(texts: Any, weight: Any, found: Any, size: int, bits: int, more: Mapping[str, Any]) -> Any:
    from modelopt.onnx.quantization import int4

    scaled = weight * found.best_scale[:, None]
    clip = int4.AWQClipHelper(scaled, size, **more)
    int4._clip_search(texts, scaled, clip, num_bits=bits, **more)  # noqa: SLF001 - the package's own second half
    return clip.best_alpha
