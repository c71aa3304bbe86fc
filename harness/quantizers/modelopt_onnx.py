"""NVIDIA ModelOpt's INT4 quantizer for ONNX: RTN and AWQ, mixed INT4 and INT8, on the model builder's float export."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import nvml
from harness.core.errors import HarnessError, MissingDependency
from harness.core.model_record import read_record
from harness.core.seam import Base, Built, Context, Facts, Quantizer
from harness.core.spec import Note
from harness.quantizers import graph_check, modelopt_layers, modelopt_repairs, modelopt_search
from harness.quantizers.blocks import short_blocks
from harness.quantizers.folders import copy_beside, graph_file
from harness.quantizers.modelopt_options import ModeloptOptions, without_effect
from harness.texts import text_refusal

PACKAGES = (
    "nvidia-modelopt", "onnx", "onnx-graphsurgeon", "onnxruntime", "onnxruntime-gpu", "onnxruntime-directml", "numpy",
    "cupy-cuda12x", "cupy-cuda13x", "cupy", "tokenizers", "datasets",
)  # fmt: skip
"""Those that are installed count: one of the runtimes, cupy where scales are searched on a GPU, datasets for hub texts."""
_OPSET = 21
"""First opset whose DequantizeLinear knows blocks and INT4."""
_PROVIDERS = {
    "cpu": "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "dml": "DmlExecutionProvider",
    "NvTensorRtRtx": "NvTensorRTRTXExecutionProvider",
}


def refuse(options: ModeloptOptions, facts: Facts) -> str | None:
    """Tell which package is missing or too old, or why calibration cannot run on this machine, or None."""
    if absent := facts.wants("nvidia-modelopt>=0.41", "onnx"):  # INT4 and INT8 in one graph
        return absent
    if not options.calibrated:
        return None
    eps = set(options.calibration_eps)
    windows = facts.system.lower().startswith("win")
    if eps & {"dml", "NvTensorRtRtx"} and not windows:
        found = ", ".join(sorted(eps & {"dml", "NvTensorRtRtx"}))
        return f"calibration_eps {found} needs Windows; use cpu or cuda here"
    if eps & {"cuda", "NvTensorRtRtx"} and not facts.gpus:
        return f"calibration_eps {', '.join(options.calibration_eps)} needs an NVIDIA GPU; use cpu here"
    return None if options.text is None else text_refusal(options.text, facts.packages)


def contents(options: ModeloptOptions) -> Mapping[str, Path]:
    """List the calibration text's file; hub sets have none."""
    from harness.texts import text_files

    return {} if options.text is None else text_files(options.text)


def calibrates_on(options: ModeloptOptions) -> str:
    """Name the provider whose numbers decide the scales: the first that is not the CPU, where texts are run at all."""
    others = [ep for ep in options.calibration_eps if ep != "cpu"]
    return others[0] if options.calibrated and others else "cpu"


def build(base: Base, options: ModeloptOptions, out: Path, context: Context) -> Built:
    """Quantize the base artifact's graph and hold each layer against what the options promise.

    Raises: HarnessError where the base is quantized already, a pattern matches nothing, or a layer is not as promised.
    """
    notes = (*without_effect(options), *_short_blocks(base.model, options))
    source = graph_file(base.path)
    graph = graph_check.load_graph(source)
    before = graph_check.read_weights(graph, str(source))
    promised = modelopt_layers.promises(options, graph_check.matmuls(before))
    _check_base(graph, before, options, source)
    context.progress(0.0, "importing modelopt")
    imports()
    context.progress(0.1, "preparing calibration")
    reader, more, facts = _reader(base.path, graph, options)
    with contextlib.redirect_stdout(sys.stderr):
        model, done = _quantize(source, reader, options, base.model, context)
    context.progress(0.85, "saving")
    copy_beside(base.path, out)
    target = out / source.name
    save(model, target)
    context.progress(0.95, "checking the weights")
    layers = check(target, promised, options.gather_quantize_axis is not None, options.gather_block_size)
    return Built("ort-genai", layers, (*notes, *more, *done), facts)


def _short_blocks(model: Path, options: ModeloptOptions) -> tuple[Note, ...]:
    record = read_record(model)
    texts = short_blocks(options.block_size, record.config) if record else ()
    return tuple(Note(code="partial-blocks", text=text) for text in texts)


def imports() -> None:
    """Import the quantizer. Raises: MissingDependency where this environment lacks it."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            import modelopt.onnx.quantization.int4  # noqa: F401
    except ImportError as error:
        raise MissingDependency(
            f"nvidia-modelopt's ONNX quantizer cannot be imported here ({error}); build in an environment that has it, as "
            "`harness setup` makes it"
        ) from error


def check(
    target: Path, promised: Mapping[str, graph_check.Promise], tables: bool = False, table_block: int = 0
) -> dict[str, int]:
    """Count the weights of a quantized graph and hold each against its promise; with `tables` the embedding too.

    Raises: HarnessError naming the first layer that is missing or not as promised.
    """
    after = graph_check.read_weights(graph_check.load_graph(target), target.name)
    graph_check.hold_names(graph_check.matmuls(after), promised, target.name)
    graph_check.hold(after, promised.get, target.name)
    found = {weight.label for weight in after if weight.form == "gather"}
    wanted = {f"{kind} b{table_block} gather" for kind in graph_check.INT4}
    if tables and not found <= wanted:
        raise HarnessError(f"the embedding of {target.name} is {', '.join(sorted(found))} where INT4 was promised")
    return graph_check.counts(after)


def _check_base(graph: Any, weights: list[graph_check.Weight], options: ModeloptOptions, source: Path) -> None:
    quantized = [weight for weight in weights if weight.kind not in graph_check.FLOATS]
    if quantized:
        raise HarnessError(
            f"the base {source} is quantized already (layer '{quantized[0].node}' is {quantized[0].label}); "
            "start from an fp32 or fp16 export"
        )
    constants = {tensor.name for tensor in graph.graph.initializer}
    tables = [node for node in graph.graph.node if node.op_type == "Gather" and node.input[0] in constants]
    if options.gather_quantize_axis is not None and not tables:
        raise HarnessError(
            f"gather_quantize_axis is set, but {source} has no embedding of its own (it shares the LM head's matrix); "
            "build the base with shared_embeddings: false"
        )


def _reader(base: Path, graph: Any, options: ModeloptOptions) -> tuple[Any, list[Note], dict[str, Any]]:
    if not options.calibrated:
        return _NoReader(), [], {}
    from harness.quantizers.modelopt_calibration import calibration_reader

    _check_providers(options)
    reader, notes, facts = calibration_reader(base, graph, options)
    return reader, notes, {"calibration": {**facts, "eps": list(options.calibration_eps)}}


class _NoReader:
    """Stands where a method reads no calibration data; without one the package would make random data."""


def _check_providers(options: ModeloptOptions) -> None:
    """See that each provider really runs: where its libraries fail to load, ONNX Runtime takes the CPU and goes on."""
    import onnxruntime

    there = onnxruntime.get_available_providers()
    for ep in options.calibration_eps:
        if _PROVIDERS[ep] not in there:
            raise HarnessError(f"calibration_eps {ep} is not in this onnxruntime, which has {', '.join(there)}")
        nvml.load_cuda_libraries(ep)
        session = onnxruntime.InferenceSession(_smallest_graph(), providers=[_PROVIDERS[ep]])
        if session.get_providers()[0] != _PROVIDERS[ep]:
            raise HarnessError(
                f"calibration_eps {ep} was asked for, but onnxruntime runs on {session.get_providers()[0]}; install the "
                "libraries and driver that this provider needs"
            )


def _smallest_graph() -> bytes:
    """Make a graph that hands a number through."""
    import onnx

    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "identity", ends[:1], ends[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def _quantize(
    source: Path, reader: Any, options: ModeloptOptions, folder: Path, context: Context
) -> tuple[Any, list[Note]]:
    from modelopt.onnx.quantization import int4

    scratch = context.folder / "modelopt-scratch"
    context.progress(0.2, f"quantizing with {options.algo}")
    try:
        with (
            modelopt_repairs.scale_fusion_without_cupy(options) as done,
            modelopt_repairs.temporary_files_in(scratch),
            modelopt_search.quick_search(_within(context, 0.2, 0.85)),
        ):
            model = int4.quantize(str(source), **_arguments(reader, options, folder))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    raise_opset(model)
    return model, [*done, *modelopt_repairs.repair_graph(model, options)]


def _within(context: Context, begun: float, ended: float) -> modelopt_search.Progress:
    """Tell the progress of a part as that of the whole build."""
    now = begun

    def tell(share: float | None, what: str) -> None:
        nonlocal now
        now = now if share is None else begun + (ended - begun) * share
        context.progress(now, what)

    return tell


def _arguments(reader: Any, options: ModeloptOptions, folder: Path) -> dict[str, Any]:
    eps = list(options.calibration_eps)
    profile = None
    if options.calibrated and "NvTensorRtRtx" in eps:
        from modelopt.onnx.quantization.ort_utils import create_input_shapes_profile

        profile = create_input_shapes_profile(str(folder), eps)
    names = ("block_size", "use_zero_point", "awqlite_alpha_step", "awqlite_run_per_subgraph", "awqclip_alpha_step",
             "awqclip_alpha_min", "awqclip_bsz_col", "gather_block_size", "gather_quantize_axis", "use_column_major")  # fmt: skip
    fast = {"enable_fast_path_using_high_sysram": True} if options.enable_fast_path_using_high_sysram else {}
    return {
        **(fast if options.algo in {"awq_lite", "awq_full"} else {}),
        **{name: getattr(options, name) for name in names},
        "calibration_method": options.algo,
        "calibration_data_reader": reader,
        "calibration_eps": eps,
        "nodes_to_exclude": list(options.nodes_to_exclude),
        "awqlite_fuse_nodes": not options.awqlite_disable_fuse_nodes,
        "enable_mixed_quant": options.mixed,
        "layers_8bit": options.layers_8bit or None,
        "input_shapes_profile": profile,
    }


def raise_opset(model: Any) -> None:
    """Declare opset 21 of the default domain where a graph declares an older one."""
    for entry in model.opset_import:
        if entry.domain == "" and entry.version < _OPSET:
            entry.version = _OPSET


def save(model: Any, target: Path) -> None:
    """Write a graph with all weights beside it. Raises: HarnessError where a file is there already (it would grow)."""
    import onnx

    data = target.with_name(f"{target.name}.data")
    for path in (target, data):
        if path.exists():
            raise HarnessError(f"{path} exists already; artifacts are written to an empty folder")
    onnx.save_model(model, str(target), save_as_external_data=True, location=data.name, size_threshold=0)


QUANTIZER = Quantizer(
    name="modelopt-onnx",
    version=1,
    consumes=("ort-genai",),
    produces="ort-genai",
    options=ModeloptOptions,
    packages=PACKAGES,
    build=build,
    foretells=lambda options, record: short_blocks(options.block_size, record.config),
    refuse=refuse,
    contents=contents,
    located=("dataset",),
    provider_field="calibration_eps",
    calibrates_on=calibrates_on,
    imports=imports,
)
