"""Types where packages meet: how often a public signature says `Any`, held for each package, and never more than now."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

from tests.conftest import ROOT

HELD: dict[str, int] = {
    "bundling": 2,
    "commands": 1,
    "core": 21,
    "engines": 24,
    "explain": 1,
    "formats": 15,
    "gguf": 3,
    "hub_data": 1,
    "numbers": 7,
    "nvml": 5,
    "plan": 7,
    "probes": 9,
    "process_memory": 1,
    "published": 3,
    "quantizers": 27,
    "reference": 1,
    "store": 16,
    "tables": 7,
    "worker": 1,
}
"""Public signatures that say `Any`, by package. A number here only goes down: a record, a protocol or `object` says more."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(body: list[ast.stmt]) -> Iterator[Function]:
    """Yield public functions, and public methods of public classes."""
    for node in body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from functions(node.body)


def types_of(function: Function) -> list[ast.expr]:
    """List the annotations of a signature."""
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    types = [one.annotation for one in named if one is not None and one.annotation is not None]
    return [*types, function.returns] if function.returns is not None else types


def says_any(function: Function) -> bool:
    return any(isinstance(part, ast.Name) and part.id == "Any" for one in types_of(function) for part in ast.walk(one))


def counted() -> Counter[str]:
    found: Counter[str] = Counter()
    for path in sorted((ROOT / "harness").rglob("*.py")):
        package = path.relative_to(ROOT / "harness").parts[0].removesuffix(".py")
        found[package] += sum(map(says_any, functions(ast.parse(path.read_text("utf-8")).body)))
    return Counter({name: count for name, count in found.items() if count})


def test_no_package_says_any_more_often_in_its_public_signatures_than_it_did() -> None:
    more = {name: (count, HELD.get(name, 0)) for name, count in counted().items() if count > HELD.get(name, 0)}
    assert more == {}, "package: (now, held); give the new signature a record, a protocol or a type"


def test_a_signature_that_says_any_is_counted_wherever_it_stands() -> None:
    text = (
        "def one(a: dict[str, Any]) -> None: ...\n"
        "def two(*, b: int) -> list[Any]: ...\n"
        "def three(*c: Any, **d: int) -> None: ...\n"
        "def _four(e: Any) -> None: ...\n"
        "class Five:\n    def six(self, f: Any) -> None: ...\n    def seven(self, g: int) -> str: ...\n"
    )
    assert [one.name for one in functions(ast.parse(text).body) if says_any(one)] == ["one", "two", "three", "six"]


def test_every_probe_says_which_session_it_needs() -> None:
    untyped = []
    for path in sorted((ROOT / "harness" / "probes").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.arg) and node.arg in {"session", "live", "codec"}:
                said = ast.unparse(node.annotation) if node.annotation is not None else "nothing"
                untyped += (
                    [f"{path.name}:{node.lineno}: {node.arg}: {said}"] if "Any" in said or said == "nothing" else []
                )
    assert untyped == []


EDGES = {
    "somebody's config.json, or what a builder writes into one": (
        "core/linear_layers", "core/model_config", "core/model_record", "core/rope", "engines/tokens", "engines/torch_fp8",
        "engines/torch_quantized", "engines/whole", "plan/sizes", "quantizers/blocks", "quantizers/folders",
        "quantizers/ort_genai_promise", "quantizers/scheme_hf",
    ),
    "a library's own arguments": (
        "core/processes", "engines/onnx_scores", "quantizers/graph_check", "quantizers/modelopt_calibration", "quantizers/ort_genai_older",
    ),
    "a file of another tool, before it is read into records": (
        "formats/fields", "formats/optimum_config", "formats/paths", "formats/records", "formats/source", "gguf/vocabulary",
        "probes/lm_eval_results", "probes/lm_eval_tasks",
    ),
    "JSON that is written, or shipped": ("explain/cell", "reference/__init__"),
    "options that any adapter may have": ("plan/arithmetic",),
    "columns of a row, as SQL gives and takes them": ("published/sources", "store/configurations", "store/sittings"),
}  # fmt: skip
"""Modules whose public signatures hand a mapping of anything on, and what it is: all of them at an edge."""
MAPPINGS = {"dict", "Mapping", "MutableMapping"}


def anything_by_name(function: Function) -> bool:
    """Whether a parameter or the result maps names to anything. Arrays of any type are arrays."""
    return any(
        isinstance(part, ast.Subscript)
        and isinstance(part.value, ast.Name)
        and part.value.id in MAPPINGS
        and isinstance(part.slice, ast.Tuple)
        and any(isinstance(one, ast.Name) and one.id == "Any" for one in _without_arrays(part.slice.elts[-1]))
        for one in types_of(function)
        for part in ast.walk(one)
    )


def _without_arrays(node: ast.expr) -> Iterator[ast.AST]:
    if not (isinstance(node, ast.Subscript) and ast.unparse(node.value) == "NDArray"):
        yield node
        for below in ast.iter_child_nodes(node):
            if isinstance(below, ast.expr):
                yield from _without_arrays(below)


def test_a_mapping_of_anything_crosses_a_modules_border_at_the_edges_alone() -> None:
    """What comes from a file of somebody else is JSON until a module has read it; between ours there are records."""
    found = set()
    for path in sorted((ROOT / "harness").rglob("*.py")):
        if any(map(anything_by_name, functions(ast.parse(path.read_text("utf-8")).body))):
            found.add(path.relative_to(ROOT / "harness").with_suffix("").as_posix())
    named = {module for modules in EDGES.values() for module in modules}
    assert found - named == set(), "give these a record, a TypedDict or the type of the values"
    assert named - found == set(), "these have none any more; take them out of EDGES"


def test_a_mapping_of_anything_is_found_wherever_it_stands() -> None:
    text = (
        "def one(a: dict[str, Any]) -> None: ...\n"
        "def two() -> list[Mapping[str, list[Any]]]: ...\n"
        "def three() -> dict[str, NDArray[Any]]: ...\n"
        "def four(a: Any, b: dict[str, int]) -> tuple[Any, ...]: ...\n"
        "def five(*a: int, **b: dict[str, Any] | None) -> None: ...\n"
    )
    assert [one.name for one in functions(ast.parse(text).body) if anything_by_name(one)] == ["one", "two", "five"]
