"""The rule for configuration lines and version labels."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator

from harness.lint.finding import Check, Rule
from harness.lint.tables import LintTable
from harness.markdown.blocks import TextLine

CONFIGURATION = re.compile(
    r"^\W*(config\w*|configuration|environment|setup|software|tested (with|on)|versions?)\b", re.IGNORECASE
)
PACKAGE = re.compile(r"(?P<name>[A-Za-z][\w.-]*[A-Za-z])\s*(?:==|@|\s)\s*v?(?P<version>\d+(?:\.\d+)+[\w.+]*)")
PIN = re.compile(r"^\W*[A-Za-z][\w.-]*==\d[\w.+]*\W*$")
LABEL = re.compile(
    r"(?:(?P<name>[A-Za-z][\w.-]*[A-Za-z])\s*(?:==|@|\s)\s*)?(?:(?<=[=@])|\bv)(?P<version>\d+(?:\.\d+)+[\w.+]*)"
)


def _versions(table: LintTable) -> Iterator[Check]:
    lines = _configuration(table)
    if not lines:
        return
    named = _packages(lines)
    labels = _labels(table, named)
    told = {version for _, version in labels}
    for name, versions in sorted(named.items()):
        ambiguous = len(versions) > 1 and not set(versions) <= told
        message = f"the configuration names {name} {' and '.join(versions)}; no label tells which values are of which"
        yield Check(lines[-1].number, message=message if ambiguous else None)
    yield Check(table.line, message=_against_labels(lines, named, labels))


def _configuration(table: LintTable) -> list[TextLine]:
    """Give the nearest configuration line above the table with the lines that its commas lead to, and every line that is a pin."""
    begun = [
        at for at, line in enumerate(table.context) if CONFIGURATION.match(line.text) and PACKAGE.search(line.text)
    ]
    found = [line for line in table.context if PIN.match(line.text)]
    for line in table.context[begun[-1] :] if begun else ():
        found.append(line)
        if not line.text.endswith(","):
            break
    return found


def _packages(lines: list[TextLine]) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    for line in lines:
        for found in PACKAGE.finditer(line.text):
            versions = named.setdefault(found["name"].lower(), [])
            versions += [v] if (v := found["version"].rstrip(".")) not in versions else []
    return named


def _labels(table: LintTable, named: Container[str]) -> list[tuple[str, str]]:
    """Give the versions that headers and keys carry, with the package where one is named: beside it or above its column."""
    texts = [("", column.words) for column in table.columns]
    for column in table.key_columns:
        above = next((word for word in column.words.lower().split() if word in named), "")
        texts += [(above, row.keys[column.index]) for row in table.rows]
    found = [(hit["name"] or above, hit["version"]) for above, text in texts for hit in LABEL.finditer(text)]
    return list(dict.fromkeys((name.lower(), version.rstrip(".")) for name, version in found))


def _against_labels(lines: list[TextLine], named: dict[str, list[str]], labels: list[tuple[str, str]]) -> str | None:
    """Hold labels against the package that they name, the others against the packages of which one is a version."""
    for name, version in labels:
        if name in named and not _known(version, named[name]):
            return (
                f"the table is of {name} {version}, its configuration (line {lines[-1].number}) names {named[name][0]}"
            )
    versions = list(dict.fromkeys(version for name, version in labels if name not in named))
    meant = {name: known for name, known in named.items() if any(_known(version, known) for version in versions)}
    if meant and not all(any(_known(version, known) for known in meant.values()) for version in versions):
        return (
            f"the table's labels name the versions {' and '.join(versions)}; its one configuration (line {lines[-1].number}) names "
            + ", ".join(f"{name} {' and '.join(one)}" for name, one in sorted(meant.items()))
        )
    return None


def _known(version: str, versions: list[str]) -> bool:
    """Tell whether a version is one of some, as 0.45 is of 0.45.0."""
    return any(f"{one}.".startswith(f"{version}.") or f"{version}.".startswith(f"{one}.") for one in versions)


CONFIGURATION_VERSIONS = Rule(
    "configuration-versions",
    "One configuration line stands over several versions: it names one package twice and no label tells the values apart, or the table's "
    "headers and keys carry versions of what it names that it does not name: of the package that a label or the header above it names, or "
    "where one of several labels is a version of the configuration. Versions of other software are not compared. A configuration is the nearest line above the table, in its "
    "section or one around it, that begins with a word like Config, Environment or Software and names a package with its version, together with "
    "lines that are nothing but `name==version`.",
    "Config: H100, mylib v0.45.0\n\n| Method | Tokens/s <sub>v0.45.0</sub> | Tokens/s <sub>v0.44.1</sub> |\n| --- | --- | --- |\n"
    "| A | 10.0 | 8.0 |\n| B | 20.0 | 18.0 |",
    _versions,
)
