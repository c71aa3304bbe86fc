"""Which recipe realizes a method for an engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.core.errors import ConfigError
from harness.core.seam import Format, Quantizer
from harness.plan.adapters import SOURCE, Adapters
from harness.plan.catalogue import Method, Recipe


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


def _said(recipe: Recipe, quantizer: Quantizer, name: str | None) -> Any:
    """Read an option of a recipe, where it is not given its default."""
    return None if name is None else recipe.options.get(name, quantizer.options.model_fields[name].default)


def choose(method: Method, quantizer: str | None, formats: Sequence[Format], reader: str, adapters: Adapters) -> Recipe:
    """Choose the recipe of a method that makes one of the formats that `reader` takes.

    Raises: ConfigError where none fits, and where two fit and the sweep does not say which.
    """
    there = [method.recipes[quantizer]] if quantizer else [r for r in method.recipes.values() if not r.when_named]
    fitting = [recipe for recipe in there if produces(recipe, adapters) in formats]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = " and ".join(f"'{recipe.quantizer}'" for recipe in fitting)
        example = f"{{{method.name}: {fitting[0].quantizer}}}"
        raise ConfigError(
            f"method '{method.name}' has two recipes that {reader} takes, {names}: choose one, as {example}"
        )
    raise ConfigError(_none_fits(method, formats, reader, adapters))


def _none_fits(method: Method, formats: Sequence[Format], reader: str, adapters: Adapters) -> str:
    made = ", ".join(f"{name} makes {produces(recipe, adapters)}" for name, recipe in method.recipes.items())
    named = [recipe.quantizer for recipe in method.recipes.values() if recipe.when_named]
    hint = f"; name the quantizer, as {{{method.name}: {named[0]}}}" if named else ""
    return f"method '{method.name}' has no recipe that {reader} takes ({' or '.join(formats)}): {made}{hint}"
