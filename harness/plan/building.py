"""From a model and a method to an artifact: the build jobs that make it, planned once each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from harness.core.errors import ConfigError
from harness.core.folder_formats import Format
from harness.core.model_record import ModelRecord
from harness.core.options import canonical_options, problems_of
from harness.core.seam import Quantizer
from harness.core.spec import BuildSpec, Labels
from harness.plan.adapters import RANDOM_WEIGHTS, SOURCE, takes_list
from harness.plan.artifact_ref import ArtifactRef
from harness.plan.catalogue_checks import consumes, produces
from harness.plan.context import PlanContext
from harness.plan.entries import Ready, Recipe
from harness.plan.jobs import Draft
from harness.plan.keys import artifact_id, package_identity, spec_key
from harness.plan.recipes import choose
from harness.plan.sources import ModelSource, find
from harness.plan.sweep import Choice, Places
from harness.plan.yamlfile import Mistakes, Node


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


def artifact(
    context: PlanContext, name: str, choice: Choice, *, formats: tuple[Format, ...], reader: str, provider: str, places: Places,
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
    if key not in context.made:
        source = context.source(name, here=other_gpu is None)
        order = _Order(source, provider, places, block, other_gpu)
        context.made[key] = _artifact(context, order, choice, formats, reader)
    return context.made[key]


def _artifact(
    context: PlanContext, order: _Order, choice: Choice, formats: tuple[Format, ...], reader: str
) -> ArtifactRef | None:
    if order.source.model.entry.ready is not None:
        return _ready(context, order, formats, reader, choice.node)
    method = context.catalogue.methods[choice.method]
    try:
        recipe = choose(method, choice.quantizer, formats, reader, context.adapters)
    except ConfigError as error:
        context.mistakes.add(str(error), choice.node)
        return None
    if recipe.quantizer == SOURCE:
        return _own(context, order, choice.method)
    return _build(context, order, choice, recipe)


def _ready(
    context: PlanContext, order: _Order, formats: tuple[Format, ...], reader: str, node: Node
) -> ArtifactRef | None:
    source = order.source
    entry = source.model.entry.ready
    assert entry is not None
    if source.format not in formats:
        other = " (no genai_config.json or config.json is in it)" if source.format == "files" else ""
        message = f"'{source.name}' is a ready artifact of format {source.format}{other}, and {reader} takes "
        context.mistakes.add(message + " or ".join(formats), node)
        return None
    content = source.identity if source.path else None
    return ArtifactRef(
        id=source.identity, format=source.format, recipe="ready", method=entry.method, model=entry.of,
        path=source.path, content=content, refused=source.refused, vocabulary=source.vocabulary,
        provenance=source.provenance, record=source.record, runtime=_runtime(context, source), **_claimed(context, order, entry),
    )  # fmt: skip


def _runtime(context: PlanContext, source: ModelSource) -> tuple[str, ...]:
    """Name what opens a folder that was quantized elsewhere, where a quantizer of that name knows it."""
    name = source.record.quantized if source.record else None
    return context.adapters.quantizer(name).runtime if name and name in context.adapters.quantizers else ()


def _claimed(context: PlanContext, order: _Order, entry: Ready) -> dict[str, Any]:
    """Tell what a ready artifact's method means: the float type, with its model's own folder, and the compute capability; what its recipes differ in is left out."""
    recipes = context.catalogue.methods[entry.method].recipes.values()
    known = [
        (quantizer, quantizer.options.model_validate(recipe.options))
        for recipe in recipes
        if recipe.quantizer != SOURCE and (quantizer := context.adapters.quantizer(recipe.quantizer))
    ]
    needs = {quantizer.capability(record) for quantizer, record in known}
    found: dict[str, Any] = {"capability": needs.pop()} if len(needs) == 1 else {}
    claimed = {quantizer.floats(record) for quantizer, record in known}
    if len(claimed) != 1 or None in claimed or order.other_gpu:
        return found
    found |= {"float_type": claimed.pop()}
    if entry.of == order.source.name:
        return found
    absent = Mistakes()  # the model of an artifact that is there need not be here, too
    source = find(entry.of, context.catalogue, absent, context.hashed)
    own = _own(context, replace(order, source=source), "")
    return found | {"bases": (own,) if own else ()}


def _own(context: PlanContext, order: _Order, method: str) -> ArtifactRef | None:
    """Give the model's own folder; with random weights, the job that makes it."""
    source = order.source
    if source.random is not None:
        made = _random(context, order)
        return None if made is None else _renamed(made, method)
    return ArtifactRef(
        id=source.identity, format="hf", recipe=SOURCE, method=method, model=source.name, path=source.path,
        content=source.identity if source.path else None, refused=source.refused, vocabulary=source.vocabulary,
        bytes=source.size.bytes if source.size else 0, provenance=source.provenance,
        record=source.record, runtime=_runtime(context, source),
        parameters=source.size.parameters if source.size else None,
    )  # fmt: skip


def _random(context: PlanContext, order: _Order) -> ArtifactRef | None:
    entry = order.source.random
    assert entry is not None
    options = {"config": entry.config, "seed": entry.seed, "dtype": entry.dtype}
    recipe = Recipe(RANDOM_WEIGHTS, options, {}, when_named=False, node=order.source.model.node)
    return _job(context, order, "", recipe, None, model=order.source.identity, inputs=())


def _build(context: PlanContext, order: _Order, choice: Choice, recipe: Recipe) -> ArtifactRef | None:
    own = _own(context, order, "")
    started = recipe.base(order.provider)
    if recipe.bases and started is None:
        known = ", ".join(sorted(recipe.bases))
        message = f"recipe '{recipe.quantizer}' of method '{choice.method}' has no base for provider '{order.provider}'"
        context.mistakes.add(f"{message}; it has {known}; add one, or 'other'", recipe.node)
        return None
    base = own
    if started is not None:
        formats, reader = consumes(recipe, context.adapters), f"quantizer '{recipe.quantizer}'"
        base = _artifact(context, order, Choice(started.method, started.quantizer, recipe.node), formats, reader)
    if own is None or base is None:
        return None
    inputs: list[ArtifactRef] = [own] if base.id == own.id else [own, base]
    return _job(
        context, order, choice.method, recipe, base if len(inputs) > 1 else None, model=own.id, inputs=tuple(inputs)
    )


def _job(
    context: PlanContext,
    order: _Order,
    method: str,
    recipe: Recipe,
    base: ArtifactRef | None,
    *,
    model: str,
    inputs: tuple[ArtifactRef, ...],
) -> ArtifactRef | None:
    quantizer = context.adapters.quantizer(recipe.quantizer)
    environment = context.place(order.places, quantizer.name)
    record = _options(context, quantizer, recipe, order.provider)
    if environment is None or record is None:
        return None
    facts = context.facts(environment)
    spec = BuildSpec(
        quantizer=quantizer.name, version=quantizer.version, options=canonical_options(record), model=model,
        base=base.id if base else None,
        contents={} if order.other_gpu else context.contents(quantizer.contents, record, recipe.node),
    )  # fmt: skip
    key = spec_key(spec, quantizer.located)
    packages = package_identity(quantizer.packages, facts) if facts else {"environment": environment}
    if facts and quantizer.calibrates_on(record) != "cpu":
        packages |= {"gpu": facts.gpus[0] if facts.gpus else "unknown"}
    identity = artifact_id(key, packages)
    refused = _refusal(context, quantizer, record, environment, inputs, order.source.record)
    needs = tuple(dict.fromkeys(need for made in inputs for need in made.needs))
    size = order.source.size
    precision = None if recipe.quantizer == RANDOM_WEIGHTS else recipe.options.get("precision")
    estimate = size.built(precision, base.bytes if base else None) if size else 0
    roles = ("model", "base")
    draft = context.add(
        Draft(
            kind="build", spec=spec, key=key, environment=environment, artifact_group=identity, artifact=identity,
            needs=needs, provider=order.provider, refused=refused, other_gpu=order.other_gpu,
            inputs=tuple(made.input(role) for made, role in zip(inputs, roles, strict=False)), bytes=estimate,
            parameters=size.parameters if size else None, opened_bytes=size.bytes if size else 0,
            group=f"{quantizer.name} of {order.source.name} in {environment}" if order.provider == "cpu" else "",
            foretold=quantizer.foretells(record, order.source.record) if order.source.record else (), known_by={"packages": packages},
        ),
        Labels(
            sweep=context.sweep, block=order.block, model=order.source.name, method=method, recipe=quantizer.name
        ),
    )  # fmt: skip
    return ArtifactRef(
        id=identity, format=produces(recipe, context.adapters), recipe=quantizer.name, method=method, model=order.source.name,
        needs=(draft.id,), refused=refused, vocabulary=order.source.vocabulary, bytes=estimate,
        provenance=_trained(order.source), float_type=quantizer.floats(record), bases=inputs,
        parameters=size.parameters if size else None, record=order.source.record, runtime=quantizer.runtime,
        capability=quantizer.capability(record),
    )  # fmt: skip


def _options(context: PlanContext, quantizer: Quantizer, recipe: Recipe, provider: str) -> Any:
    options = dict(recipe.options)
    name = quantizer.provider_field
    if name and name not in options:
        options[name] = [provider] if takes_list(quantizer.options, name) else provider
    problems = problems_of(quantizer.options, options, f"recipe '{quantizer.name}'")
    for option, message in problems:
        context.mistakes.add(message, recipe.node.fields.get(option, recipe.node))
    return None if problems else quantizer.options.model_validate(options)


def _refusal(
    context: PlanContext,
    quantizer: Quantizer,
    record: Any,
    environment: str,
    inputs: Iterable[ArtifactRef],
    model: ModelRecord | None,
) -> str | None:
    facts = context.facts(environment)
    before = next((made.refused for made in inputs if made.refused), None)
    if before or facts is None:
        return before or context.missing(environment)
    return quantizer.refuse(record, facts) or (quantizer.refuse_model(record, facts, model) if model else None)
