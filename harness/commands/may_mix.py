"""What a table would mix, asked of a person once and written into its spec."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.commands.workspace import Workspace
from harness.core.errors import ConfigError, HarnessError, Problem
from harness.plan.yamlfile import Node, parse
from harness.tables.markdown import Rendered
from harness.tables.mixing import WouldMix
from harness.tables.spec import TableSpec

Ask = Callable[[str], bool]
"""Puts a question that is answered by yes or no."""
Render = Callable[[TableSpec], Rendered]


@dataclass(frozen=True)
class Mixed:
    """A table and all that it would mix."""

    spec: TableSpec
    found: tuple[WouldMix, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(one.field for one in self.found)

    @property
    def text(self) -> str:
        """Say what is mixed."""
        return ", ".join(f"{one.field} ({', '.join(one.values)})" for one in self.found)


def mixes(specs: Iterable[TableSpec], render: Render) -> list[Mixed]:
    """Find everything that tables would mix. What else is wrong with a table is found when it is rendered."""
    found = [Mixed(spec, tuple(_of(spec, render))) for spec in specs]
    return [one for one in found if one.found]


def _of(spec: TableSpec, render: Render) -> list[WouldMix]:
    found: list[WouldMix] = []
    while True:
        try:
            render(replace(spec, may_mix=spec.may_mix | {one.field for one in found}))
        except WouldMix as error:
            if error.field in {one.field for one in found}:
                return found
            found.append(error)
        except ConfigError:
            return found
        else:
            return found


def allowed(found: Sequence[Mixed], workspace: Workspace, may: Collection[str], ask: Ask | None) -> dict[Path, str]:
    """Write the texts of spec files in which tables may mix what they would: by the command line's word, or by a person's.

    may: fields, each for any table or as TABLE:FIELD. ask: None where nobody can be asked.
    Raises: ConfigError with everything that nobody allows, and for a file that is not the workspace's own.
    """
    texts: dict[Path, str] = {}
    problems: list[Problem] = []
    for mixed in found:
        spec, path = mixed.spec, Path(mixed.spec.path)
        fields = [field for field in mixed.fields if not {field, f"{spec.name}:{field}"} & set(may)]
        own = path.is_relative_to(workspace.root) and path.parent == workspace.tables[-1]
        question = (
            f"table '{spec.name}' would mix {mixed.text}. A reader sees these numbers beside one another. Allow it, in "
            f"{workspace.called(path)}?"
        )
        if not own or (fields and not (ask is not None and ask(question))):
            remedy = f"allow it with {' '.join(f'--may-mix {field}' for field in fields)}, or choose with where"
            text = f"table '{spec.name}' would mix {mixed.text}; " + (
                remedy if own else "its file is not this workspace's own"
            )
            problems.append(Problem(text, spec.path, spec.line))
        else:
            texts[path] = with_may_mix(texts.get(path) or path.read_text("utf-8"), spec, mixed.fields)
    if problems:
        raise ConfigError(problems)
    return texts


def with_may_mix(text: str, spec: TableSpec, fields: Collection[str]) -> str:
    """Add fields to what a table may mix, leaving all else in its file as it is. Raises: HarnessError where that cannot be done."""
    wanted = [*sorted(spec.may_mix), *(field for field in fields if field not in spec.may_mix)]
    lines = text.split("\n")
    node = parse(text).fields[spec.name]
    there = node.fields.get("may_mix")
    indent = _indent(lines, node)
    line = f"{indent}may_mix: [{', '.join(wanted)}]"
    if there is None:
        lines[node.line : node.line] = [line]
    else:
        lines[there.line - 1] = line
    done = "\n".join(lines)
    if _read(done, spec.name) != wanted or _without(done, spec.name) != _without(text, spec.name):
        raise HarnessError(
            f"{spec.path}:{spec.line}: write into table '{spec.name}' yourself: may_mix: [{', '.join(wanted)}]"
        )
    return done


def _indent(lines: Sequence[str], node: Node) -> str:
    first = min((part.line for part in node.fields.values()), default=node.line + 1)
    line = lines[first - 1] if first - 1 < len(lines) else ""
    return line[: len(line) - len(line.lstrip())] or "  "


def _read(text: str, table: str) -> list[str]:
    try:
        named = parse(text).fields[table].fields.get("may_mix")
    except ConfigError:
        return []
    return [item.raw for item in named.items] if named else []


def _without(text: str, table: str) -> Mapping[str, object]:
    def plain(node: Node, top: bool = False) -> object:
        if isinstance(node.value, dict):
            return {name: plain(part) for name, part in node.value.items() if not (top and name == "may_mix")}
        return [plain(part) for part in node.value] if isinstance(node.value, list) else node.raw

    return {name: plain(part, name == table) for name, part in parse(text).fields.items()}
