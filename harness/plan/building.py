"""From a model and a method to an artifact: the build jobs that make it, planned once each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.core import limits
from harness.core.errors import ConfigError, HarnessError, Problem
from harness.core.folder_formats import Format
from harness.core.identity import file_sha256, folder_sha256
from harness.core.model_record import ModelRecord
from harness.core.options import canonical_options, problems_of
from harness.core.seam import Facts, FloatType, Quantizer
from harness.core.spec import BuildSpec, Input, Labels
from harness.environments import is_for
from harness.plan.adapters import RANDOM_WEIGHTS, SOURCE, Adapters, takes_list
from harness.plan.catalogue_checks import consumes, produces
from harness.plan.entries import Catalogue, Ready, Recipe
from harness.plan.jobs import Draft
from harness.plan.keys import artifact_id, known_by, package_identity, spec_key
from harness.plan.recipes import choose
from harness.plan.sources import ModelSource, find, hash_model
from harness.plan.sweep import Choice, Places
from harness.plan.yamlfile import Mistakes, Node

MISSING = "environment '{0}' is not on this machine: harness setup --env {0}"
ANOTHER_SYSTEM = "environment '{}' is for {}, and this machine is not"


@dataclass(frozen=True)
class ArtifactRef:
    """An artifact, or a model's own folder, as the jobs behind it see it."""

    id: str
    format: Format
    recipe: str
    method: str
    model: str
    """Model under which it stands in tables."""
    needs: tuple[str, ...] = ()
    path: str = ""
    content: str | None = None
    refused: str | None = None
    vocabulary: int | None = None
    bytes: int = 0
    """Estimate of what it takes on disk."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    float_type: FloatType | None = None
    """Float type of all its weights; None where something is quantized, and for the model's own folder."""
    parameters: int | None = None
    bases: tuple[ArtifactRef, ...] = ()
    """What it was made from, the model's own folder included."""
    record: ModelRecord | None = None
    """What the files of the model say of it."""
    runtime: tuple[str, ...] = ()
    """Packages that an engine needs, beside its own, to open it."""

    @cached_property
    def measured(self) -> Input:
        """It as what a measurement opens; all jobs of an artifact share this record."""
        return self.input("artifact")

    def input(self, role: Any, **more: Any) -> Input:
        """Give it as the input of a job."""
        provenance = dict(self.provenance)
        return Input(role=role, id=self.id, path=self.path, content=self.content, provenance=provenance, **more)


@dataclass
class PlanContext:
    """What planning has found out so far: sources, artifacts, hashes, drafts of jobs."""

    sweep: str
    catalogue: Catalogue
    environments: Mapping[str, Facts | None]
    mistakes: Mistakes
    hashed: Callable[[Path], str] = hash_model
    verifies: bool = True
    node: Node | None = None
    """Case that is being planned."""
    """Whether float artifacts are verified; else they are marked as unverified."""
    drafts: dict[str, Draft] = field(default_factory=dict)
    artifact_groups: set[str] = field(default_factory=set)
    """Artifacts that planned jobs stand by."""
    _sources: dict[tuple[str, bool], ModelSource] = field(default_factory=dict)
    _made: dict[tuple[Any, ...], ArtifactRef | None] = field(default_factory=dict)
    _hashes: dict[Path, str] = field(default_factory=dict)
    _known: dict[tuple[tuple[str, ...], str, str], Mapping[str, Any]] = field(default_factory=dict)

    @property
    def adapters(self) -> Adapters:
        """The adapters there are."""
        return self.catalogue.adapters

    def source(self, name: str, *, here: bool) -> ModelSource:
        """Find a model, once."""
        if (name, here) not in self._sources:
            self._sources[name, here] = find(name, self.catalogue, self.mistakes, self.hashed, here=here)
        return self._sources[name, here]

    def facts(self, environment: str) -> Facts | None:
        """Give what is known of an environment; None where it is not on this machine."""
        return self.environments.get(environment)

    def missing(self, environment: str) -> str:
        """Say why an environment that is not on this machine is not, and what to do."""
        entry = self.catalogue.environments.get(environment)
        if entry is not None and not is_for(entry.system):
            return ANOTHER_SYSTEM.format(environment, entry.system)
        return MISSING.format(environment)

    def known(self, names: tuple[str, ...], provider: str, environment: str) -> Mapping[str, Any]:
        """Say what must be equal, beside the key, for a quality result of an environment to count as known."""
        key = (names, provider, environment)
        if key not in self._known:
            self._known[key] = known_by(names, provider, self.facts(environment))
        return self._known[key]

    def place(self, places: Places, adapter: str) -> str | None:
        """Name an adapter's environment; a mistake where the sweep does not say it."""
        found = places.of(adapter)
        if found is None:
            message = (
                f"'environment' has no entry for '{adapter}': add '{adapter}: NAME', or 'other: NAME' for all else"
            )
            self.mistakes.add(message, places.node)
        return found

    def add(self, draft: Draft, labels: Labels) -> Draft:
        """Plan a job, or find the same job already planned; note who asks for it."""
        known = self.drafts.setdefault(draft.id, draft)
        if len(self.drafts) > limits.JOBS:
            text = f"this sweep has more than {limits.JOBS:,} jobs; take values out of its lists, or split it"
            place = self.node
            raise ConfigError([Problem(text, place.path, place.line) if place else Problem(text)])
        self.artifact_groups.add(known.artifact_group)
        if labels not in known.labels:
            known.labels.append(labels)
        return known

    def contents(self, ask: Callable[[Any], Mapping[str, Path]], record: Any, node: Node) -> dict[str, str]:
        """Hash the files that an adapter names; one that cannot be read is a mistake."""
        try:
            return {role: self._hash(path) for role, path in ask(record).items()}
        except ConfigError as error:
            for problem in error.problems:
                self.mistakes.add(str(problem), None if problem.line else node)
            return {}
        except (HarnessError, OSError) as error:
            self.mistakes.add(str(error), node)
            return {}

    def _hash(self, path: Path) -> str:
        if path not in self._hashes:
            self._hashes[path] = folder_sha256(path) if path.is_dir() else file_sha256(path)
        return self._hashes[path]

    def artifact(
        self, name: str, choice: Choice, *, formats: tuple[Format, ...], reader: str, provider: str, places: Places,
        block: str, other_gpu: str | None,
    ) -> ArtifactRef | None:  # fmt: skip
        """Plan what makes a method of a model in one of the formats asked for; None where that is a mistake."""
        key = (
            name,
            choice.method,
            choice.quantizer,
            formats,
            reader,
            provider,
            tuple(places.names.items()),
            block,
            other_gpu,
        )
        if key not in self._made:
            source = self.source(name, here=other_gpu is None)
            order = _Order(source, provider, places, block, other_gpu)
            self._made[key] = self._artifact(order, choice, formats, reader)
        return self._made[key]

    def _artifact(self, order: _Order, choice: Choice, formats: tuple[Format, ...], reader: str) -> ArtifactRef | None:
        if order.source.model.entry.ready is not None:
            return self._ready(order, formats, reader, choice.node)
        method = self.catalogue.methods[choice.method]
        try:
            recipe = choose(method, choice.quantizer, formats, reader, self.adapters)
        except ConfigError as error:
            self.mistakes.add(str(error), choice.node)
            return None
        if recipe.quantizer == SOURCE:
            return self._own(order, choice.method)
        return self._build(order, choice, recipe)

    def _ready(self, order: _Order, formats: tuple[Format, ...], reader: str, node: Node) -> ArtifactRef | None:
        source = order.source
        entry = source.model.entry.ready
        assert entry is not None
        if source.format not in formats:
            other = " (no genai_config.json or config.json is in it)" if source.format == "files" else ""
            message = f"'{source.name}' is a ready artifact of format {source.format}{other}, and {reader} takes "
            self.mistakes.add(message + " or ".join(formats), node)
            return None
        content = source.identity if source.path else None
        return ArtifactRef(
            id=source.identity, format=source.format, recipe="ready", method=entry.method, model=entry.of,
            path=source.path, content=content, refused=source.refused, vocabulary=source.vocabulary,
            provenance=source.provenance, record=source.record, runtime=self._runtime(source), **self._claimed(order, entry),
        )  # fmt: skip

    def _runtime(self, source: ModelSource) -> tuple[str, ...]:
        """Name what opens a folder that was quantized elsewhere, where a quantizer of that name knows it."""
        name = source.record.quantized if source.record else None
        return self.adapters.quantizer(name).runtime if name and name in self.adapters.quantizers else ()

    def _claimed(self, order: _Order, entry: Ready) -> dict[str, Any]:
        """Tell the float type that a ready artifact's method means, with its model's own folder; nothing where it means none."""
        recipes = self.catalogue.methods[entry.method].recipes.values()
        options = [
            (self.adapters.quantizer(recipe.quantizer), recipe.options)
            for recipe in recipes
            if recipe.quantizer != SOURCE
        ]
        claimed = {known.floats(known.options.model_validate(said)) for known, said in options}
        if len(claimed) != 1 or None in claimed or order.other_gpu:
            return {}
        if entry.of == order.source.name:
            return {"float_type": claimed.pop()}
        absent = Mistakes()  # the model of an artifact that is there need not be here, too
        source = find(entry.of, self.catalogue, absent, self.hashed)
        own = self._own(replace(order, source=source), "")
        return {"float_type": claimed.pop(), "bases": (own,) if own else ()}

    def _own(self, order: _Order, method: str) -> ArtifactRef | None:
        """Give the model's own folder; with random weights, the job that makes it."""
        source = order.source
        if source.random is not None:
            made = self._random(order)
            return None if made is None else _renamed(made, method)
        return ArtifactRef(
            id=source.identity, format="hf", recipe=SOURCE, method=method, model=source.name, path=source.path,
            content=source.identity if source.path else None, refused=source.refused, vocabulary=source.vocabulary,
            bytes=source.size.bytes if source.size else 0, provenance=source.provenance,
            record=source.record, runtime=self._runtime(source),
            parameters=source.size.parameters if source.size else None,
        )  # fmt: skip

    def _random(self, order: _Order) -> ArtifactRef | None:
        entry = order.source.random
        assert entry is not None
        options = {"config": entry.config, "seed": entry.seed, "dtype": entry.dtype}
        recipe = Recipe(RANDOM_WEIGHTS, options, {}, when_named=False, node=order.source.model.node)
        return self._job(order, "", recipe, None, model=order.source.identity, inputs=())

    def _build(self, order: _Order, choice: Choice, recipe: Recipe) -> ArtifactRef | None:
        own = self._own(order, "")
        started = recipe.base(order.provider)
        if recipe.bases and started is None:
            known = ", ".join(sorted(recipe.bases))
            message = (
                f"recipe '{recipe.quantizer}' of method '{choice.method}' has no base for provider '{order.provider}'"
            )
            self.mistakes.add(f"{message}; it has {known}; add one, or 'other'", recipe.node)
            return None
        base = own
        if started is not None:
            formats, reader = consumes(recipe, self.adapters), f"quantizer '{recipe.quantizer}'"
            base = self._artifact(order, Choice(started.method, started.quantizer, recipe.node), formats, reader)
        if own is None or base is None:
            return None
        inputs: list[ArtifactRef] = [own] if base.id == own.id else [own, base]
        return self._job(
            order, choice.method, recipe, base if len(inputs) > 1 else None, model=own.id, inputs=tuple(inputs)
        )

    def _job(
        self,
        order: _Order,
        method: str,
        recipe: Recipe,
        base: ArtifactRef | None,
        *,
        model: str,
        inputs: tuple[ArtifactRef, ...],
    ) -> ArtifactRef | None:
        quantizer = self.adapters.quantizer(recipe.quantizer)
        environment = self.place(order.places, quantizer.name)
        record = self._options(quantizer, recipe, order.provider)
        if environment is None or record is None:
            return None
        facts = self.facts(environment)
        spec = BuildSpec(
            quantizer=quantizer.name, version=quantizer.version, options=canonical_options(record), model=model,
            base=base.id if base else None,
            contents={} if order.other_gpu else self.contents(quantizer.contents, record, recipe.node),
        )  # fmt: skip
        key = spec_key(spec, quantizer.located)
        packages = package_identity(quantizer.packages, facts) if facts else {"environment": environment}
        if facts and quantizer.calibrates_on(record) != "cpu":
            packages |= {"gpu": facts.gpus[0] if facts.gpus else "unknown"}
        identity = artifact_id(key, packages)
        refused = self._refusal(quantizer, record, environment, inputs, order.source.record)
        needs = tuple(dict.fromkeys(need for made in inputs for need in made.needs))
        size = order.source.size
        precision = None if recipe.quantizer == RANDOM_WEIGHTS else recipe.options.get("precision")
        estimate = size.built(precision, base.bytes if base else None) if size else 0
        roles = ("model", "base")
        draft = self.add(
            Draft(
                kind="build", spec=spec, key=key, environment=environment, artifact_group=identity, artifact=identity,
                needs=needs, provider=order.provider, refused=refused, other_gpu=order.other_gpu,
                inputs=tuple(made.input(role) for made, role in zip(inputs, roles, strict=False)), bytes=estimate,
                parameters=size.parameters if size else None, opened_bytes=size.bytes if size else 0,
                group=f"{quantizer.name} of {order.source.name} in {environment}" if order.provider == "cpu" else "",
                foretold=quantizer.foretells(record, order.source.record) if order.source.record else (),
            ),
            Labels(
                sweep=self.sweep, block=order.block, model=order.source.name, method=method, recipe=quantizer.name
            ),
        )  # fmt: skip
        return ArtifactRef(
            id=identity, format=produces(recipe, self.adapters), recipe=quantizer.name, method=method, model=order.source.name,
            needs=(draft.id,), refused=refused, vocabulary=order.source.vocabulary, bytes=estimate,
            provenance=_trained(order.source), float_type=quantizer.floats(record), bases=inputs,
            parameters=size.parameters if size else None, record=order.source.record, runtime=quantizer.runtime,
        )  # fmt: skip

    def _options(self, quantizer: Quantizer, recipe: Recipe, provider: str) -> Any:
        options = dict(recipe.options)
        name = quantizer.provider_field
        if name and name not in options:
            options[name] = [provider] if takes_list(quantizer.options, name) else provider
        problems = problems_of(quantizer.options, options, f"recipe '{quantizer.name}'")
        for option, message in problems:
            self.mistakes.add(message, recipe.node.fields.get(option, recipe.node))
        return None if problems else quantizer.options.model_validate(options)

    def _refusal(
        self,
        quantizer: Quantizer,
        record: Any,
        environment: str,
        inputs: Iterable[ArtifactRef],
        model: ModelRecord | None,
    ) -> str | None:
        facts = self.facts(environment)
        if self.adapters.absent(quantizer.name):
            return quantizer.refuse(record, NOTHING)
        before = next((made.refused for made in inputs if made.refused), None)
        if before or facts is None:
            return before or self.missing(environment)
        return quantizer.refuse(record, facts) or (quantizer.refuse_model(record, facts, model) if model else None)


NOTHING = Facts(packages={}, system="")
"""Facts for an adapter that this version does not have: it refuses whatever they are."""


@dataclass(frozen=True)
class _Order:
    """What all jobs behind one artifact share."""

    source: ModelSource
    provider: str
    places: Places
    block: str
    other_gpu: str | None


def _renamed(made: ArtifactRef, method: str) -> ArtifactRef:
    return replace(made, method=method)


def _trained(source: ModelSource) -> dict[str, str]:
    """Give what an artifact made from a model still says of it."""
    return {key: value for key, value in source.provenance.items() if key in {"trained_positions", "quantized"}}
