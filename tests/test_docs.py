"""What the documentation shows is what works: every example is planned, not only read; options and fields are those of the code.

`python -m tests.test_docs` writes configs/OPTIONS.md and results/FIELDS.md anew.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from harness.commands.workspace import read_workspace
from harness.core.paths import MINE
from harness.core.seam import Facts
from harness.core.spec import MeasureSpec
from harness.pages.writing import specs_in
from harness.plan.adapters import shipped
from harness.plan.catalogue import load_catalogue
from harness.plan.entries import Catalogue
from harness.plan.expand import Plan, expand
from harness.plan.reading import read_sweep
from harness.plan.schema import sweep_schema
from harness.plan.yamlfile import parse, plain
from harness.tables.catalogue import catalogue_of
from tests.conftest import ROOT
from tests.documented import documented_options, fields_page, options_page

CONFIGS = ROOT / "configs"
CPU = Facts(
    {"onnxruntime-genai": "0.15.2", "onnxruntime": "1.31.1", "torch": "2.13.0", "transformers": "4.57.6", "nvidia-modelopt": "0.47.0",
     "onnx": "1.21.0", "lm-eval": "0.4.13"},
    "Linux",
)  # fmt: skip


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


# ---------------------------------------------------------------- what is written from the code

WRITTEN = {CONFIGS / "OPTIONS.md": options_page, ROOT / "results" / "FIELDS.md": fields_page}


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_a_page_that_is_written_from_the_code_is_that_of_the_code(page: Path) -> None:
    assert page.read_text(encoding="utf-8") == WRITTEN[page](), "python -m tests.test_docs writes it anew"


def test_every_option_has_a_meaning() -> None:
    text = options_page()
    assert documented_options().keys() >= {"Probe generation", "Engine ort-genai", "Quantizer modelopt-onnx"}
    assert re.findall(r"^\| `\w+` \| .* \| +\|$", text, re.MULTILINE) == []


if __name__ == "__main__":
    for page, anew in WRITTEN.items():
        page.write_text(anew(), encoding="utf-8", newline="\n")
