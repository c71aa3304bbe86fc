"""The rule for configuration lines and version labels."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.lint.finding import Check, Rule
from harness.lint.markdown import Line
from harness.lint.tables import LintTable

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
    labels = _labels(table)
    told = {version for _, version in labels}
    for name, versions in sorted(named.items()):
        ambiguous = len(versions) > 1 and not set(versions) <= told
        message = f"the configuration names {name} {' and '.join(versions)}; no label tells which values are of which"
        yield Check(lines[-1].number, message=message if ambiguous else None)
    yield Check(table.line, message=_against_labels(lines, named, labels))


def _configuration(table: LintTable) -> list[Line]:
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


def _packages(lines: list[Line]) -> dict[str, list[str]]:
    named: dict[str, list[str]] = {}
    for line in lines:
        for found in PACKAGE.finditer(line.text):
            versions = named.setdefault(found["name"].lower(), [])
            versions += [v] if (v := found["version"].rstrip(".")) not in versions else []
    return named


def _labels(table: LintTable) -> list[tuple[str, str]]:
    """Give the versions that headers and keys carry, with the package where one is named."""
    texts = [column.words for column in table.columns]
    texts += [row.keys[column.index] for column in table.key_columns for row in table.rows]
    found = [(hit["name"] or "", hit["version"]) for text in texts for hit in LABEL.finditer(text)]
    return list(dict.fromkeys((name.lower(), version.rstrip(".")) for name, version in found))


def _against_labels(lines: list[Line], named: dict[str, list[str]], labels: list[tuple[str, str]]) -> str | None:
    for name, version in labels:
        if name in named and version not in named[name]:
            return (
                f"the table is of {name} {version}, its configuration (line {lines[-1].number}) names {named[name][0]}"
            )
    versions = list(dict.fromkeys(version for _, version in labels))
    known = {version for names in named.values() for version in names}
    if len(versions) > 1 and not set(versions) <= known:
        return (
            f"the table's labels name the versions {' and '.join(versions)}; its one configuration (line {lines[-1].number}) names "
            + ", ".join(f"{name} {' and '.join(one)}" for name, one in sorted(named.items()))
        )
    return None


CONFIGURATION_VERSIONS = Rule(
    "configuration-versions",
    "One configuration line stands over several versions: it names one package twice and no label tells the values apart, or the table's "
    "headers and keys carry versions that the configuration does not name. A configuration is the nearest line above the table, in its "
    "section or one around it, that begins with a word like Config, Environment or Software and names a package with its version, together with "
    "lines that are nothing but `name==version`.",
    "Config: H100, mylib v0.45.0\n\n| Method | Tokens/s <sub>v0.45.0</sub> | Tokens/s <sub>v0.44.1</sub> |\n| --- | --- | --- |\n"
    "| A | 10.0 | 8.0 |\n| B | 20.0 | 18.0 |",
    _versions,
)
