"""What travels of a sweep: the harness, the sweep, the catalogue entries that it names, models, texts, files; and nothing else of this machine.

Catalogues are written anew from what was read, so that comments, entries for other things and places of this machine stay here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.bundling.data import data_sets, read_files
from harness.bundling.records import VARIABLE, WORKSPACE, Stage, is_inner
from harness.commands.machine import Planned, environments_of
from harness.core.errors import HarnessError
from harness.core.identity import files_below
from harness.core.paths import placed
from harness.core.privacy import cache_folder
from harness.environment_state import PACKAGE
from harness.environments import IN_CLONE, SHIPPED
from harness.host import harness_version
from harness.hub_data import kept
from harness.plan.entries import Model
from harness.plan.gguf import package_wheel
from harness.plan.model_folders import model_folder
from harness.plan.yamlfile import plain, read
from harness.quantizers.folders import counted_files
from harness.questions import HUB_QUESTIONS, written_questions
from harness.texts import BUILT_IN

_SOURCES = {".py", ".sql", ".md", ".mako", ".txt", ".json", ".jsonl", ".csv", ".safetensors", ".sh"}
_CATALOGUES = "harness/shipped/configs"


@dataclass
class Frozen:
    """What sweeps need on another machine."""

    harness: str
    """Version and commit."""
    stages: list[Stage] = field(default_factory=list)
    files: dict[str, Path | bytes] = field(default_factory=dict)
    """Place in the content to what lies there."""
    said: dict[str, str] = field(default_factory=dict)
    """Of these the text of those that say what somebody wrote: sweeps and catalogues."""
    folders: dict[str, str] = field(default_factory=dict)
    """Model to its folder in the content."""
    public: list[str] = field(default_factory=list)
    """Folders of the content whose files are as the hub has them: they say nothing of this machine."""
    environments: dict[str, None] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def folder(self, place: str, files: Sequence[Path], top: Path) -> int:
        """Take files of a folder; returns their bytes."""
        self.files |= {f"{place}/{path.relative_to(top).as_posix()}": path for path in files}
        return sum(path.stat().st_size for path in files)

    def json(self, place: str, value: Any) -> None:
        """Take a value as JSON, which every YAML reader reads."""
        self.said[place] = json.dumps(value, indent=1, ensure_ascii=False)
        self.files[place] = self.said[place].encode()


def freeze(plans: Sequence[Planned], *, by_block: bool) -> Frozen:
    """Gather what sweeps need. Raises: HarnessError with all that is not here or cannot travel."""
    found = Frozen(harness=harness_version())
    found.files |= dict(_harness(found.harness))
    found.files[f"{WORKSPACE}/harness.yaml"] = b"version: 1\n"
    entries: dict[str, dict[str, Any]] = {"models": {}, "methods": {}, "environments": {}, "texts": {}}
    for planned in plans:
        _sweep(planned, found, by_block=by_block)
        _models(planned, entries["models"], found)
        _texts(planned, entries["texts"], found)
        _data_sets(planned, found)
        entries["methods"] |= _methods(planned)
        found.environments |= dict.fromkeys(environments_of(planned.sweep))
    title = plans[0].catalogue.environments
    entries["environments"] = {name: {"python": "python3", **_title(title, name)} for name in found.environments}
    for name, those in entries.items():
        found.json(f"{_CATALOGUES}/{name}.yaml", those)
    if found.problems:
        raise HarnessError("\n".join(dict.fromkeys(found.problems)))
    return found


def _title(known: Mapping[str, Any], name: str) -> dict[str, str]:
    return {"title": known[name].title} if name in known and known[name].title else {}


def _harness(version: str) -> Iterator[tuple[str, bytes]]:
    """Give the package as it is installed: its modules and data, templates of tables, and the commit that it is of."""
    for path in files_below(PACKAGE):
        inner = path.relative_to(PACKAGE)
        hidden = any(part.startswith((".", "__pycache__")) for part in inner.parts)
        whole = inner.parts[:2] == ("reference", "data") or path.suffix in _SOURCES
        if whole and not hidden and inner.parts[0] != "shipped":
            yield (
                f"harness/{inner.as_posix()}",
                path.read_bytes(),
            )  # now: fetching takes long, and sources may change meanwhile
    templates = SHIPPED / "reports" / "templates"
    for path in sorted(templates.glob("*.j2")):
        yield f"harness/shipped/reports/templates/{path.name}", path.read_bytes()
    commit = version.partition("+")[2]
    if IN_CLONE and commit:
        yield "harness/commit.txt", f"{commit}\n".encode()


# ---------------------------------------------------------------- sweeps


def _sweep(planned: Planned, found: Frozen, *, by_block: bool) -> None:
    """Write the sweep as it was read, its choices by environment variables made, and carry the files that it names."""
    tree = plain(read(planned.sweep.path))
    tree.pop("tables", None)  # tables are written where the results are
    name, blocks = planned.sweep.name, tree.get("blocks")
    parts = {name: tree}
    if by_block and isinstance(blocks, dict):
        parts = {f"{name}-{block}": {**tree, "blocks": {block: those}} for block, those in blocks.items()}
    for stage, part in parts.items():
        place = f"sweeps/{len(found.stages) + 1}/{name}.yaml"  # a sweep is called as its file is
        found.stages.append(Stage(re.sub(r"[^A-Za-z0-9._-]+", "-", stage), place))
        found.json(f"{WORKSPACE}/{place}", part)
    found.told.append(
        f"sweep {name}: {len(planned.plan.jobs)} jobs as planned here; it is planned anew there, for the packages that it finds"
    )
    declared = {placed(text.path) for text in planned.catalogue.texts.values() if text.path}
    declared -= {placed(word) for word in _words(tree)}  # that a sweep names by its place, it would not find there
    for role, path in read_files(planned):
        if path.is_relative_to(PACKAGE) or path in declared:
            continue
        kind, sign, word = role.partition(":")
        said = word if sign and kind in {"run", "file"} else str(path)
        if not is_inner(said):
            found.problems.append(
                f"sweep {name} reads {said}, a place of this machine; put it into the workspace and name it from there, or declare a text in texts.yaml"
            )
        elif path.is_dir():
            found.folder(f"{WORKSPACE}/{said}", files_below(path), path)
        else:
            found.files[f"{WORKSPACE}/{said}"] = path


def _words(tree: Any) -> Iterator[str]:
    if isinstance(tree, str):
        yield tree
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _words(part)


def _methods(planned: Planned) -> dict[str, Any]:
    """Give the methods that a sweep names, and those that their recipes start from, as their files say them."""
    methods, models = planned.catalogue.methods, planned.catalogue.models
    todo = [choice.method for case in planned.sweep.cases for choice in case.methods]
    todo += [work.reference.method.method for case in planned.sweep.cases for work in case.works if work.reference]
    todo += [ready.method for name in _names(planned) if (ready := models[name].entry.ready)]
    found: dict[str, Any] = {}
    while todo:
        name = todo.pop()
        if name not in found:
            found[name] = plain(methods[name].node)
            todo += [base.method for recipe in methods[name].recipes.values() for base in recipe.bases.values()]
    return found


# ---------------------------------------------------------------- models


def _names(planned: Planned) -> list[str]:
    """Name the models of a sweep, and those of which its ready artifacts were made."""
    models = planned.catalogue.models
    named = [one.name for case in planned.sweep.cases for one in case.models]
    made_of = [ready.of for name in named if (ready := models[name].entry.ready)]
    return list(dict.fromkeys([*named, *made_of]))


def _models(planned: Planned, entries: dict[str, Any], found: Frozen) -> None:
    read_here = {one.name for case in planned.sweep.cases for one in case.models}
    for name in _names(planned):
        if name in entries and name in found.folders:
            continue
        model = planned.catalogue.models[name]
        entry = model.entry.model_dump(mode="json", exclude_defaults=True)
        try:
            if name in read_here:
                _model(model, entry, planned, found)
        except (HarnessError, OSError) as error:
            hub = model.entry.hub or (model.entry.ready and model.entry.ready.hub)
            found.problems.append(f"{error}{'; or harness fetch' if hub else ''}")
        for inner, key in ((entry, "folder"), (entry.get("ready", {}), "path")):
            if key in inner:
                inner[key] = f"models/{name}"  # where it lies there is said by `folders`
        entries[name] = entry


def _model(model: Model, entry: dict[str, Any], planned: Planned, found: Frozen) -> None:
    """Carry a model, and say so. Raises: HarnessError where it is not here."""
    name, local = model.name, planned.catalogue.local.folders
    if model.entry.shipped and name not in local:
        found.told.append(f"model {name}: comes with the harness")
    elif model.entry.random is not None:
        config = model.entry.random.config
        if isinstance(config, str):
            entry["random"]["config"] = json.loads(placed(config).read_text("utf-8"))
        found.told.append(f"model {name}: its recipe; the weights are drawn there")
    elif model.entry.gguf is not None and name not in local:
        _gguf(model, entry, found)
    else:
        folder = model_folder(model, planned.catalogue)
        files = files_below(folder) if model.entry.ready else counted_files(folder)
        size = found.folder(f"models/{name}", files, folder)
        found.folders[name] = f"models/{name}"
        if name not in local and (model.entry.hub or (model.entry.ready and model.entry.ready.hub)):
            found.public.append(f"models/{name}/")
        found.told.append(f"model {name}: {len(files)} files, {size / 1e6:,.1f} MB")


def _gguf(model: Model, entry: dict[str, Any], found: Frozen) -> None:
    """Carry a GGUF as it came; it is converted there. Its place in the cache is the same everywhere."""
    gguf = model.entry.gguf
    assert gguf is not None
    if gguf.path:
        file = placed(gguf.path)
        place = f"models/{model.name}/{file.name}"
        entry["gguf"]["path"] = f"${VARIABLE}/{place}"
    else:
        file = package_wheel(str(gguf.package))
        place = f"cache/{file.relative_to(cache_folder()).as_posix()}"
    found.files[place] = file
    found.told.append(f"model {model.name}: {file.name}, {file.stat().st_size / 1e6:,.1f} MB; it is converted there")


# ---------------------------------------------------------------- texts


def _texts(planned: Planned, entries: dict[str, Any], found: Frozen) -> None:
    """Carry the declared texts that a sweep reads, and write their entries anew."""
    read_here = {path for _, path in read_files(planned)}
    for name, said in planned.catalogue.texts.items():
        source = placed(said.path or "")
        if not said.path or source not in read_here:
            continue
        place = f"texts/{name}{source.suffix if source.is_file() else ''}"
        if source.is_dir():
            found.folder(f"{WORKSPACE}/{place}", sorted(source.glob("*.txt")), source)
        else:
            found.files[f"{WORKSPACE}/{place}"] = source
        # of a text that the harness knows by name, an entry says only where a copy lies
        own = {} if name in BUILT_IN else said.model_dump(mode="json", exclude_defaults=True)
        entries[name] = {**own, "path": place}
        found.told.append(f"text {name}: its file")


def _data_sets(planned: Planned, found: Frozen) -> None:
    """Carry what the hub's libraries keep of the data sets that a sweep reads."""
    for one in data_sets(planned):
        there = zip(("hub", "datasets"), kept(one.path), strict=True) if one.path else ()
        folders = [(f"hf/{kind}/{folder.name}", folder) for kind, folder in there if folder.is_dir()]
        if one.path == HUB_QUESTIONS and written_questions().is_dir():
            folders = [*folders, (f"cache/{written_questions().name}", written_questions())]
        if not folders:
            why = (
                "is not on this machine; harness fetch gets it"
                if one.path
                else "fetches rows of its own, which a bundle cannot carry"
            )
            found.problems.append(f"{one.name} {why}")
        for place, folder in folders:
            found.folder(place, files_below(folder), folder)
        found.told += [f"{one.name}: from the hub's cache"] if folders else []
