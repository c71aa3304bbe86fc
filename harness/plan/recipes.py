"""Which recipe realizes a method for an engine."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.errors import ConfigError
from harness.core.folder_formats import Format
from harness.plan.adapters import Adapters
from harness.plan.catalogue_checks import produces
from harness.plan.entries import Method, Recipe


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
        raise ConfigError(f"{method.called} has two recipes that {reader} takes, {names}: choose one, as {example}")
    raise ConfigError(_none_fits(method, formats, reader, adapters))


def _none_fits(method: Method, formats: Sequence[Format], reader: str, adapters: Adapters) -> str:
    if not method.recipes:
        if method.own:
            return f"{method.called} has no recipe; give it `recipes:` there, or take it out"
        return f"method '{method.name}' is known only from published tables; it has no recipe here"
    made = ", ".join(f"{name} makes {produces(recipe, adapters)}" for name, recipe in method.recipes.items())
    named = [r.quantizer for r in method.recipes.values() if r.when_named and produces(r, adapters) in formats]
    hint = f"; name the quantizer, as {{{method.name}: {named[0]}}}" if named else _takers(method, adapters)
    return f"{method.called} has no recipe that {reader} takes ({' or '.join(formats)}): {made}{hint}"


def _takers(method: Method, adapters: Adapters) -> str:
    """Name the engines of this version that open what the method makes."""
    made = {produces(recipe, adapters) for recipe in method.recipes.values()}
    names = [name for name in sorted(adapters.engines) if made & set(adapters.engine(name).consumes)]
    return f"; take engine {' or '.join(names)}" if names else ""
