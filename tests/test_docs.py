"""What the documentation shows is what works: every example is planned, not only read; options are those of the code.

`python -m tests.test_docs` writes the tables of options and of metrics anew.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import textwrap
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import jsonschema
import pytest

from harness.commands.workspace import read_workspace
from harness.core.metric import METRICS
from harness.core.paths import MINE
from harness.core.seam import Facts, Options, load
from harness.core.spec import MeasureSpec
from harness.engines import ENGINES
from harness.plan.adapters import shipped
from harness.plan.catalogue import Catalogue, load_catalogue
from harness.plan.expand import Plan, expand
from harness.plan.reading import read_sweep
from harness.plan.schema import sweep_schema
from harness.plan.yamlfile import parse, plain
from harness.quantizers import QUANTIZERS
from harness.report.catalogue import catalogue_of
from harness.report.pages import specs_in
from tests.conftest import ROOT

CONFIGS = ROOT / "configs"
CPU = Facts(
    {"onnxruntime-genai": "0.15.2", "onnxruntime": "1.31.1", "torch": "2.13.0", "transformers": "4.57.6"}, "Linux"
)


def blocks(page: Path, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


SWEEPS = [*blocks(CONFIGS / "README.md", "yaml sweep"), *blocks(ROOT / "README.md", "yaml")]


TEXTS = {
    "mine.jsonl": '{"text": "One."}\n{"text": "Two."}\n',
    "book.txt": "\n = A = \n\n Words.\n",
    "letters/a.txt": "Dear.",
}


@pytest.fixture
def documented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """The catalogues with every entry that the documentation shows, on a machine that has the folders it names."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": 300,
        "hidden_size": 64,
        "num_hidden_layers": 2,
    }
    mine, ready = tmp_path / "models" / "mine", tmp_path / "artifacts" / "mine-awq"
    for folder, files in ((mine, ("model.safetensors", "tokenizer.json")), (ready, ("model.onnx",))):
        folder.mkdir(parents=True)
        for name in files:
            (folder / name).write_text("{}", encoding="utf-8")
    (tmp_path / "models" / "mine.Q8_0.gguf").write_bytes(b"GGUF")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (mine / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (ready / "genai_config.json").write_text(json.dumps({"model": {"vocab_size": 300}}), encoding="utf-8")
    monkeypatch.setenv(MINE, str(tmp_path))
    (tmp_path / "my_quantize.py").write_text("", encoding="utf-8")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "llama-7b.json").write_text(json.dumps(config), encoding="utf-8")
    (tmp_path / "texts" / "letters").mkdir(parents=True)
    for path, content in TEXTS.items():
        (tmp_path / "texts" / path).write_text(content, encoding="utf-8")
    for name in ("models", "methods", "environments", "texts"):
        (given,) = blocks(CONFIGS / "README.md", f"yaml {name}")
        whole = (CONFIGS / f"{name}.yaml").read_text(encoding="utf-8")
        (tmp_path / f"{name}.yaml").write_text(whole + given, encoding="utf-8")
    return load_catalogue(tmp_path)


def planned(text: str, catalogue: Catalogue, tmp_path: Path) -> Plan:
    path = tmp_path / "example.yaml"
    path.write_text(text, encoding="utf-8")
    return expand(
        read_sweep(path, catalogue), catalogue, {"cpu": CPU}, hashed=lambda folder: f"content of {folder.name}"
    )


def names(kind: str) -> list[str]:
    (given,) = blocks(CONFIGS / "README.md", f"yaml {kind}")
    return list(parse(given).fields)


def test_the_workspace_file_of_the_docs_says_what_holds_without_it(tmp_path: Path) -> None:
    (given,) = blocks(CONFIGS / "README.md", "yaml workspace")
    (tmp_path / "harness.yaml").write_text(given, encoding="utf-8")
    said = read_workspace(tmp_path)
    (tmp_path / "harness.yaml").write_text("", encoding="utf-8")
    assert read_workspace(tmp_path) == said


def test_the_program_of_the_documentation_is_what_the_probe_takes() -> None:
    (given,) = blocks(CONFIGS / "README.md", "yaml probes")
    said = plain(parse(given))
    options = said["probes"]["command"]
    assert shipped().probe("command").workload.model_validate({**options, "batch": options["batch"][0]})
    assert shipped().engine("program").options.model_validate(said["engine"]["program"])


@pytest.mark.parametrize("text", SWEEPS)
def test_every_sweep_of_the_documentation_plans(text: str, documented: Catalogue, tmp_path: Path) -> None:
    assert planned(text, documented, tmp_path).jobs
    validator = jsonschema.Draft202012Validator(sweep_schema(documented))
    assert [error.message for error in validator.iter_errors(plain(parse(text)))] == []


@pytest.mark.parametrize("name", names("methods"))
def test_every_method_of_the_documentation_is_built_by_a_job(name: str, documented: Catalogue, tmp_path: Path) -> None:
    plan = planned(f"model: reference\nmethod: {name}\nengine: ort-genai\nprobes: generation\n", documented, tmp_path)
    assert [job.refused for job in plan.jobs] == [None] * len(plan.jobs)
    made = [job.labels[0].method for job in plan.jobs if not (job.round or job.verifies or job.tells_truth)]
    assert made == ["fp32", *[name] * 3], "it starts from fp32 on a CPU"


@pytest.mark.parametrize("name", names("models"))
def test_every_model_of_the_documentation_is_planned(name: str, documented: Catalogue, tmp_path: Path) -> None:
    plan = planned(f"model: {name}\nmethod: fp32\nengine: ort-genai\nprobes: generation\n", documented, tmp_path)
    assert {job.labels[0].model for job in plan.jobs} == {"mine" if name == "mine-awq" else name}
    reasons = {job.refused for job in plan.jobs} - {None}
    fetched = ("hf download", "is not here yet: `harness run` or `harness bench`")
    assert all(any(words in str(reason) for words in fetched) for reason in reasons), "what is here is not refused"
    assert bool(reasons) == (name in {"from-hub", "from-package", "from-file"})


@pytest.mark.parametrize("name", names("texts"))
def test_every_text_of_the_documentation_is_planned_as_it_is_declared(
    name: str, documented: Catalogue, tmp_path: Path
) -> None:
    if name == "wikitext-2":  # another content than the hub's is refused
        (tmp_path / "texts" / "wiki.test.raw").write_text(" = A = \n", encoding="utf-8")
    probes = f"probes: {{perplexity: {{text: {name}, window: 2, stride: 1}}}}"
    text = f"model: reference\nmethod: fp32\nengine: ort-genai\n{probes}\n"
    specs = [job.spec for job in planned(text, documented, tmp_path).jobs if isinstance(job.spec, MeasureSpec)]
    (spec,) = (spec for spec in specs if spec.probe == "perplexity")
    assert spec.workload["text"] == name
    assert spec.workload["corpus"]["path"].startswith("~/texts/")
    assert list(spec.contents) == ["text"]


@pytest.mark.parametrize("name", names("environments"))
def test_every_environment_of_the_documentation_is_planned_with_its_remedy(
    name: str, documented: Catalogue, tmp_path: Path
) -> None:
    text = f"model: reference\nmethod: fp32\nengine: ort-genai\nenvironment: {name}\nprobes: generation\n"
    refused = {job.refused for job in planned(text, documented, tmp_path).jobs}
    assert refused == {f"environment '{name}' is not on this machine: harness setup --env {name}"}


def test_the_first_table_of_the_readme_can_be_read(tmp_path: Path) -> None:
    (text,) = re.findall(r"`(my-speed: \{.*\})`", (ROOT / "README.md").read_text(encoding="utf-8"))
    path = tmp_path / "mine.tables.yaml"
    path.write_text(text, encoding="utf-8")
    (spec,) = specs_in([path], catalogue_of(CONFIGS))
    assert (spec.name, spec.where) == ("my-speed", {"sweep": ("mine",)})


# ---------------------------------------------------------------- options

OPTIONS = re.compile(r"<!-- options: (?P<name>[\w -]+?) -->\n(?P<table>.*?)<!-- end: (?P=name) -->", re.DOTALL)
NONE = re.compile(r"\bNone\b(?=:| leaves)")
BY_NAME = {
    "protocol": "How the clock is read: `genai-e2e-0.9` is greedy and takes means, `genai-e2e-0.9-median` medians, which a busy moment hardly moves; `genai-e2e-0.9-sampling` draws from the 50 likeliest.",
    "batch": "Sequences at once.",
    "repetitions": "Timed repetitions.",
    "shots": "Examples before each question.",
}
"""What fields mean whose class leaves it to their name."""


def meanings(options: type[Options]) -> dict[str, str]:
    """Read the docstrings of fields, which are not kept at run time, from the source; a class's own come last."""
    found: dict[str, str] = {}
    for one in reversed(options.__mro__[: options.__mro__.index(Options)]):
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        assert isinstance(body, ast.ClassDef)
        for field, after in zip(body.body, [*body.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                said = after.value if isinstance(after, ast.Expr) else None
                if isinstance(said, ast.Constant) and isinstance(said.value, str):
                    found[field.target.id] = " ".join(said.value.split())
    return found


FAKE = "fake"


def documented_options() -> dict[str, type[Options]]:
    """Return what can be asked of every adapter: probes by their names, the others with what they are before it."""
    found = {name: shipped().probe(name).workload for name in shipped().probe_names()}
    for what, registry in (("quantizer", QUANTIZERS), ("engine", ENGINES)):
        found |= {f"{what} {name}": load(registry, what, name).options for name in registry if name != FAKE}
    return found


def choices(annotation: Any) -> list[str]:
    """Return the words of a closed list, also of one that may be absent or repeated."""
    if get_origin(annotation) is Literal:
        return [str(word) for word in get_args(annotation)]
    return [word for inner in get_args(annotation) for word in choices(inner)]


def options_table(name: str) -> str:
    """Write the options of an adapter as a table."""
    options = documented_options()[name]
    said = BY_NAME | meanings(options)
    lines = ["| field | default | what it says |", "| --- | --- | --- |"]
    for field, info in options.model_fields.items():
        value = info.get_default(call_default_factory=True) if not info.is_required() else None
        default = (
            "required" if info.is_required() else f"`{json.dumps(value).strip(chr(34))}`" if value != "" else "empty"
        )
        words = [word for word in choices(info.annotation) if word not in said[field]]
        listed = f" One of {', '.join(f'`{word}`' for word in choices(info.annotation))}." if words else ""
        meaning = NONE.sub("null", said[field] + listed).replace("|", "\\|")
        lines.append(f"| `{field}` | {default} | {meaning} |")
    return "\n".join(["", *lines, "", ""])


def with_options(text: str) -> str:
    def filled(found: re.Match[str]) -> str:
        name = found["name"]
        return f"<!-- options: {name} -->\n{options_table(name)}<!-- end: {name} -->"

    return OPTIONS.sub(filled, text)


def test_the_tables_of_options_are_those_of_the_code() -> None:
    text = (CONFIGS / "README.md").read_text(encoding="utf-8")
    assert {found["name"] for found in OPTIONS.finditer(text)} == set(documented_options())
    assert text == with_options(text), "python -m tests.test_docs writes them anew"


# ---------------------------------------------------------------- metrics

RESULTS = ROOT / "results" / "README.md"
METRIC_TABLE = re.compile(r"<!-- metrics -->\n.*?<!-- end: metrics -->", re.DOTALL)


def with_metrics(text: str) -> str:
    lines = ["| name | title | unit | better |", "| --- | --- | --- | --- |"]
    for metric in METRICS.values():
        title = metric.title.replace("|", "\\|")
        lines.append(f"| `{metric.name}` | {title} | {metric.unit or 'none'} | {metric.better} |")
    table = "\n".join(["<!-- metrics -->", "", *lines, "", "<!-- end: metrics -->"])
    return METRIC_TABLE.sub(lambda _: table, text)


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    text = RESULTS.read_text(encoding="utf-8")
    assert len(METRIC_TABLE.findall(text)) == 1
    assert text == with_metrics(text), "python -m tests.test_docs writes it anew"


if __name__ == "__main__":
    for page, anew in ((CONFIGS / "README.md", with_options), (RESULTS, with_metrics)):
        page.write_text(anew(page.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")
