"""What names are called in tables: titles, links and attributes, looked up when rendering."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.core.metric import METRICS, OWN, metric
from harness.tables.declared import Declared, declared_of
from harness.tables.formats import without_paths
from harness.tables.options import OPTIONS, option

UNTITLED = "untitled"
"""Set of a name that a table calls nothing at all, as a row's empty cell; an empty title alone is that of its name."""


@dataclass(frozen=True)
class TableCatalogue:
    """Dimension -> name -> attribute -> text. A name without an entry is shown as it is."""

    entries: Mapping[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)

    def names(self, dimension: str) -> Sequence[str]:
        """Return a dimension's names in the order of the catalogue, which is the order of rows."""
        return tuple(self.entries.get(dimension, ()))

    def attributes(self, dimension: str) -> Sequence[str]:
        """Return the names of what is known of a dimension's values."""
        return tuple(
            dict.fromkeys(["title", *(key for known in self.entries.get(dimension, {}).values() for key in known)])
        )

    def attribute(self, dimension: str, name: str, attribute: str) -> str:
        """Return an attribute, empty where there is none; that of options is one of them."""
        said = self.entries.get(f"{dimension}.{attribute}", {}).get(name, {}).get("title")  # as a table calls it
        if said is not None:
            return said
        if dimension in OPTIONS:
            return without_paths(option(name, attribute))
        return self.entries.get(dimension, {}).get(name, {}).get(attribute, "")

    def renamed(self, titles: Mapping[str, Mapping[str, str]]) -> TableCatalogue:
        """Return a catalogue with other titles; the names that have one come first, in this order."""
        entries = dict(self.entries)
        for dimension, named in titles.items():
            known = self.entries.get(dimension, {})
            first = {name: {**known.get(name, {}), **_renamed(title)} for name, title in named.items()}
            entries[dimension] = {**first, **{name: texts for name, texts in known.items() if name not in first}}
        return TableCatalogue(entries)

    def declaring(self, declared: Declared) -> TableCatalogue:
        """Return a catalogue with what published files declare, behind its own entries."""
        entries = {name: dict(known) for name, known in self.entries.items()}
        own = {
            name: {"title": one.title or metric(name).title, "unit": one.unit} for name, one in declared.metrics.items()
        }
        for dimension, named in {**declared.names, "metric": own}.items():
            known = entries.get(dimension, {})
            entries[dimension] = {**known, **{name: texts for name, texts in named.items() if name not in known}}
        return TableCatalogue(entries)

    def own_unit(self, metric: str) -> str | None:
        """Return the unit that a published file declares of a metric of its own; None where none does."""
        return self.entries.get("metric", {}).get(metric, {}).get("unit") if metric.startswith(OWN) else None

    def title(self, dimension: str, name: str) -> str:
        """Return what a name is called in tables."""
        if dimension in OPTIONS:
            return self.entries.get(dimension, {}).get(name, {}).get("title", name)
        untitled = self.entries.get(dimension, {}).get(name, {}).get(UNTITLED)
        return self.attribute(dimension, name, "title") or ("" if untitled else name)

    def shown(self, dimension: str, name: str, attribute: str = "") -> str:
        """Return an attribute where one is asked for, else the title."""
        if attribute in {"", "title"}:
            return self.title(dimension, name)
        return self.attribute(dimension, name, attribute)

    def called(self, address: Mapping[str, str], dimension: str) -> str:
        """Return what a value is called where it stands; titles of `model+method` count for that pair alone."""
        for joined, named in self.entries.items():
            parts = joined.split("+")
            if len(parts) > 1 and parts[-1] == dimension and all(part in address for part in parts):
                title = named.get("+".join(address[part] for part in parts), {}).get("title")
                if title:
                    return title
        return self.title(dimension, address[dimension])

    def link(self, dimension: str, name: str) -> str:
        """Return the address that a name leads to, empty where there is none or where it is not a web address."""
        address = self.attribute(dimension, name, "link")
        return address if address.startswith(("https://", "http://")) else ""


def _renamed(title: str) -> dict[str, str]:
    return {"title": title} if title else {"title": "", UNTITLED: "yes"}


def catalogue_of(configs: Path | Sequence[Path], published: Path | None = None) -> TableCatalogue:
    """Read titles and attributes from the catalogues in a folder, or in several, the engines' registry and the metrics.

    published: folder of published results, whose files may declare more of them; a catalogue's own entry goes before.
    Raises: ConfigError with every mistake of the catalogues and of what is declared.
    """
    from harness.plan.catalogue import load_catalogue

    known = load_catalogue(configs)
    found = TableCatalogue(
        {
            "model": {name: _texts(model.entry) for name, model in known.models.items()},
            "method": {name: _texts(method.entry) for name, method in known.methods.items()},
            "environment": {name: _texts(entry) for name, entry in known.environments.items()},
            "engine": engine_titles(),
            "metric": metric_titles(),
        }
    )
    return found if published is None else found.declaring(declared_of(published))


def _texts(entry: Any) -> dict[str, str]:
    """Keep an entry's texts; what is not a text is not for a table."""
    return {name: value for name, value in entry.model_dump().items() if isinstance(value, str)}


def engine_titles() -> dict[str, dict[str, str]]:
    """Return the engines' own titles; an engine that cannot be imported here is called by its name."""
    from harness.core.registry import load
    from harness.engines import ENGINES

    found = {}
    for name in ENGINES:
        try:
            found[name] = {"title": str(load(ENGINES, "engine", name).title)}
        except (ImportError, AttributeError):
            found[name] = {"title": ""}
    return found


def metric_titles() -> dict[str, dict[str, str]]:
    """Return the metrics' titles and units."""
    return {name: {"title": metric.title, "unit": metric.unit} for name, metric in METRICS.items()}
