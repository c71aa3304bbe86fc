"""Whether a catalogue's files agree: names that refer to one another, bases without a circle, formats that fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.core.folder_formats import Format
from harness.core.seam import Quantizer
from harness.core.spelling import unknown
from harness.environments import NAMES, is_name
from harness.plan.adapters import SOURCE, Adapters
from harness.plan.entries import (
    Catalogue,
    EnvironmentEntry,
    Method,
    Ready,
    Recipe,
)
from harness.plan.yamlfile import Mistakes, Node


def _check_names(catalogue: Catalogue, places: Mapping[str, tuple[Any, Node]], mistakes: Mistakes) -> None:
    """Hold the names in one file against those of the others."""
    for method in catalogue.methods.values():
        _check_bases(catalogue, method, mistakes)
        _check_circle(catalogue, method, mistakes)
    for model in catalogue.models.values():
        ready = model.entry.ready
        for what, name, known in _ready_names(ready, catalogue) if ready else ():
            if name not in known:
                mistakes.add(unknown(what, name, known), model.node.fields["ready"])
    for name in (*catalogue.local.python, *catalogue.local.folders):
        if name not in catalogue.environments and name not in catalogue.models:
            mistakes.add(f"local.yaml: {unknown('name', name, [*catalogue.environments, *catalogue.models])}")
    for name, (entry, node) in places.items():
        _check_place(name, entry, node, places, mistakes)


def _check_bases(catalogue: Catalogue, method: Method, mistakes: Mistakes) -> None:
    for recipe in method.recipes.values():
        for base in recipe.bases.values():
            started = catalogue.methods.get(base.method)
            if started is None:
                mistakes.add(unknown("method", base.method, catalogue.methods), recipe.node.fields["on"])
            elif base.quantizer and base.quantizer not in started.recipes:
                message = unknown(f"recipe of {started.called}:", base.quantizer, started.recipes)
                mistakes.add(message, recipe.node.fields["on"])
        for form in _said_formats(recipe, catalogue.adapters):
            if not catalogue.adapters.is_format(form):
                known = catalogue.adapters.format_names()
                mistakes.add(unknown(f"format of recipe '{recipe.quantizer}':", form, known), recipe.node)
        if not recipe.bases and "hf" not in consumes(recipe, catalogue.adapters):
            what = f"recipe '{recipe.quantizer}' of method '{method.name}'"
            mistakes.add(f"{what} starts from another method's artifact: say which, as 'on: fp32'", recipe.node)


def produces(recipe: Recipe, adapters: Adapters) -> Format:
    """Give the format of what a recipe makes."""
    if recipe.quantizer == SOURCE:
        return "hf"
    quantizer = adapters.quantizer(recipe.quantizer)
    said: Format | None = _said(recipe, quantizer, quantizer.produces_field)
    return said or quantizer.produces


def consumes(recipe: Recipe, adapters: Adapters) -> tuple[Format, ...]:
    """Give the formats that a recipe can start from."""
    if recipe.quantizer == SOURCE:
        return ("hf",)
    quantizer = adapters.quantizer(recipe.quantizer)
    said: Format | None = _said(recipe, quantizer, quantizer.consumes_field)
    return (said,) if said else quantizer.consumes


def _said_formats(recipe: Recipe, adapters: Adapters) -> list[Format]:
    """List the formats that a recipe's own options name."""
    if recipe.quantizer == SOURCE:
        return []
    quantizer = adapters.quantizer(recipe.quantizer)
    names = (quantizer.consumes_field, quantizer.produces_field)
    return [str(recipe.options[name]) for name in names if name is not None and recipe.options.get(name)]


def _said(recipe: Recipe, quantizer: Quantizer, name: str | None) -> Any:
    """Read an option of a recipe, where it is not given its default."""
    return None if name is None else recipe.options.get(name, quantizer.options.model_fields[name].default)


def _check_place(name: str, entry: EnvironmentEntry, node: Node, known: Iterable[str], mistakes: Mistakes) -> None:
    if not is_name(name):
        mistakes.add(f"environment '{name}': {NAMES}", node)
    own = [key for key in ("lock", "on", "python") if getattr(entry, key)]
    more = [key for key in ("packages", "wheel") if getattr(entry, key)]
    if len(own) > 1 or not (own or more) or (more and own and own != ["on"]):
        said = " and ".join([*own, *more]) or "nothing"
        mistakes.add(f"environment '{name}' is a lock, a python, or packages (on another one); it has {said}", node)
    if entry.on and entry.on not in known:
        mistakes.add(unknown("environment", entry.on, known), node.fields["on"])
    if entry.refresh != "never" and not entry.wheel:
        mistakes.add(f"environment '{name}' has nothing to refresh: say its `wheel`", node.fields["refresh"])


def _ready_names(ready: Ready, catalogue: Catalogue) -> list[tuple[str, str, Iterable[str]]]:
    form = []
    if ready.format and not catalogue.adapters.is_format(ready.format):
        form = [("format", ready.format, catalogue.adapters.format_names())]
    return [("method", ready.method, catalogue.methods), ("model", ready.of, catalogue.models), *form]


def _check_circle(catalogue: Catalogue, method: Method, mistakes: Mistakes) -> None:
    reached, todo = set[str](), [method.name]
    while todo:
        here = catalogue.methods.get(todo.pop())
        for name in {base.method for recipe in here.recipes.values() for base in recipe.bases.values()} if here else ():
            if name == method.name:
                mistakes.add(f"method '{method.name}' starts from itself", method.node)
                return
            if name not in reached:
                reached.add(name)
                todo.append(name)
