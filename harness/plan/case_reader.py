"""Read one product of a sweep: every name held against the catalogues, every option against its adapter."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from harness.core.capabilities import lacking
from harness.core.metric import OwnMetric
from harness.core.options import Options, canonical_options, problems_of
from harness.core.seam import Probe
from harness.core.spec import Kind
from harness.core.spelling import unknown
from harness.formats.units import why_not
from harness.plan import case_numbers
from harness.plan.adapters import Adapters
from harness.plan.axes import products
from harness.plan.entries import OTHER, Catalogue
from harness.plan.sweep import (
    DEFAULT_ENVIRONMENT,
    PRECISION,
    REFERENCE,
    ROUNDS,
    SKIP,
    Case,
    Choice,
    EngineChoice,
    Named,
    Places,
    ProbeWork,
    ReferenceChoice,
)
from harness.plan.yamlfile import Mistakes, Node, mapping, plain, word


@dataclass(frozen=True)
class Reader:
    """What reading a case needs: the names there are, and where mistakes go."""

    catalogue: Catalogue
    adapters: Adapters
    mistakes: Mistakes
    own: dict[str, OwnMetric] = field(default_factory=dict)
    """Metrics that the sweep itself declares, where no published file does."""

    def case(self, block: str, fields: dict[str, Node], node: Node) -> Case | None:
        """Read one product; None where it cannot be planned."""
        for key in ("model", "method", "engine", "probes"):
            if key not in fields:
                where = f"block '{block}'" if block else "the sweep"
                self.mistakes.add(f"{where} needs '{key}'", node)
        engines = self.engines(fields["engine"]) if "engine" in fields else []
        case = Case(
            block=block,
            models=tuple(self.models(fields["model"])) if "model" in fields else (),
            methods=tuple(self.methods(fields["method"])) if "method" in fields else (),
            engines=tuple(engines),
            places=tuple(self.places(fields.get("environment", Node(DEFAULT_ENVIRONMENT, node.path, node.line)))),
            works=tuple(self.works(fields["probes"])) if "probes" in fields else (),
            gpu=case_numbers.gpu(fields["on"], self.mistakes) if "on" in fields else None,
            skip=tuple(self.skips(fields["skip"])) if "skip" in fields else (),
            rounds=case_numbers.rounds(fields["rounds"], self.mistakes) if "rounds" in fields else ROUNDS,
            precision=case_numbers.precision(fields["precision"], self.mistakes)
            if "precision" in fields
            else PRECISION,
            timeout=case_numbers.timeout(fields["timeout"], self.mistakes) if "timeout" in fields else None,
            node=node,
        )
        self._check_needs(case)
        return case

    def _check_needs(self, case: Case) -> None:
        for engine in case.engines:
            for work in case.works:
                probe, opens = work.adapter, engine.adapter
                reason = lacking(probe.name, probe.needs, opens.name, opens.offers)
                if reason is not None:
                    self.mistakes.add(reason, work.node)

    def values(self, node: Node, what: str) -> list[Node]:
        """Give an axis' values; an empty one is a mistake."""
        if node.value is None or node.value == [] or node.value == {}:
            self.mistakes.add(f"'{what}' is empty: give at least one value, or leave the key out", node)
            return []
        return node.items

    def tables(self, node: Node, known: Collection[str] | None) -> tuple[str, ...]:
        """Read which files of tables are printed at the end; `known` None leaves the names unchecked."""
        found = [(word(item, "a table", self.mistakes), item) for item in self.values(node, "tables")]
        for name, item in found:
            if name and known is not None and name not in known:
                self.mistakes.add(f"{unknown('tables', name, known)} (tables/NAME.tables.yaml)", item)
        return tuple(name for name, _ in found if name)

    def known(self, node: Node, what: str, known: Iterable[str]) -> str | None:
        """Give a name that is one of those known."""
        name = word(node, f"a {what}", self.mistakes)
        if name is None or name in known:
            return name
        hub = (
            f"; to use a hub model, add `name: {{hub: {name}}}` to models.yaml"
            if what == "model" and "/" in name
            else ""
        )
        self.mistakes.add(f"{unknown(what, name, known)}{hub}", node)
        return None

    def models(self, node: Node) -> list[Named]:
        """Read the axis of models."""
        found = [(self.known(item, "model", self.catalogue.models), item) for item in self.values(node, "model")]
        return [Named(name, item) for name, item in found if name]

    def methods(self, node: Node) -> list[Choice]:
        """Read the axis of methods: a name, or a name and the quantizer that is to realize it."""
        found = [self.choice(item) for item in self.values(node, "method")]
        return [choice for choice in found if choice]

    def choice(self, node: Node) -> Choice | None:
        """Read one method."""
        if not isinstance(node.value, dict):
            name = self.known(node, "method", self.catalogue.methods)
            return Choice(name, None, node) if name else None
        if len(node.value) != 1:
            self.mistakes.add("a method with its quantizer is one pair, as {int4_rtn: ort-genai}", node)
            return None
        ((name, part),) = node.value.items()
        if name not in self.catalogue.methods:
            self.mistakes.add(unknown("method", name, self.catalogue.methods), part)
            return None
        method = self.catalogue.methods[name]
        quantizer = self.known(part, f"recipe of {method.called}:", method.recipes)
        return Choice(name, quantizer, part) if quantizer else None

    def engines(self, node: Node) -> list[EngineChoice]:
        """Read the axis of engines, each list inside its options opened."""
        found: list[EngineChoice] = []
        for item in self.values(node, "engine"):
            pairs = item.fields if isinstance(item.value, dict) else {str(plain(item)): item}
            for name, part in pairs.items():
                if self.known(Node(name, part.path, part.line), "engine", self.adapters.engine_names()):
                    given = part if isinstance(part.value, dict) else Node({}, part.path, part.line)
                    found += self.engine(name, given, bare=part is item or part.value is None)
        return found

    def engine(self, name: str, node: Node, *, bare: bool) -> list[EngineChoice]:
        """Read one engine."""
        adapter = self.adapters.engine(name)
        if not bare:
            mapping(node, f"options of engine '{name}'", self.mistakes)
        found = []
        for combination in products(node.fields, adapter.options, self.mistakes):
            record = self.record(adapter.options, combination, f"engine '{name}'", node)
            if record is not None:
                found.append(EngineChoice(adapter, canonical_options(record), record, node, frozenset(combination)))
        return found

    def record(self, cls: type[Options], given: Mapping[str, Node], what: str, node: Node) -> Any:
        """Validate one combination; None with every mistake noted at its own line."""
        values = {name: plain(part) for name, part in given.items()}
        try:
            return cls.model_validate(values)
        except ValidationError:  # said again in words that help, at the lines that are meant
            for name, message in problems_of(cls, values, what):
                self.mistakes.add(message, given.get(name, node))
        return None

    def places(self, node: Node) -> list[Places]:
        """Read the axis of environments: a name for all, or a map from adapter to name."""
        found = []
        adapters = [*self.adapters.placed_names(), OTHER]
        for item in self.values(node, "environment"):
            if isinstance(item.value, dict):
                mapping(item, "'environment' by adapter", self.mistakes, adapters)
                parts = {key: part for key, part in item.fields.items() if key in adapters}
            else:
                parts = {OTHER: item}
            names = {key: self.known(part, "environment", self.catalogue.environments) for key, part in parts.items()}
            found.append(Places({key: name for key, name in names.items() if name}, item))
        return found

    def works(self, node: Node) -> list[ProbeWork]:
        """Read the probes, each list inside a workload opened."""
        if isinstance(node.value, dict):
            pairs = [(name, part) for name, part in node.fields.items()]
        else:
            pairs = [(str(plain(item)), Node(None, item.path, item.line)) for item in self.values(node, "probes")]
        if not pairs:
            self.mistakes.add("'probes' is empty: give at least one probe", node)
        found: list[ProbeWork] = []
        for name, part in pairs:
            if self.known(Node(name, part.path, part.line), "probe", self.adapters.probe_names()):
                for item in part.items:
                    found += self.work(self.adapters.probe(name), item)
        return found

    def work(self, probe: Probe, node: Node) -> list[ProbeWork]:
        """Read one probe's workload."""
        what = f"probe '{probe.name}'"
        fields = {} if node.value is None else mapping(node, what, self.mistakes)
        references = self.references(probe, fields, node)
        fields = {name: part for name, part in fields.items() if name != "reference"}
        found = []
        for combination in products(fields, probe.workload, self.mistakes):
            record = self.record(probe.workload, self.with_text(probe, combination), what, node)
            if record is not None:
                workload, declared = canonical_options(record), self.declared(probe.own(record), node)
                found += [ProbeWork(probe, workload, record, reference, node, declared) for reference in references]
        return found

    def declared(self, said: Mapping[str, OwnMetric], node: Node) -> dict[str, OwnMetric]:
        """Give metrics of somebody's own the unit and direction of whoever declares them first: a published file, else the sweep."""
        found: dict[str, OwnMetric] = {}
        for name, here in said.items():
            own = replace(here, place=f"{Path(node.path).name}:{node.line}")
            known = self.catalogue.published().get(name) or self.own.setdefault(name, own)
            unit = why_not(own.unit, known.unit)
            wrong = own.against(known) or (f"{unit} ({known.place})" if unit else "")
            if wrong:
                self.mistakes.add(f"{name}: {wrong}", node)
            better = own.better if known.better == "none" else known.better
            found[name] = OwnMetric(unit=known.unit, better=better)
        return found

    def with_text(self, probe: Probe, given: dict[str, Node]) -> dict[str, Node]:
        """Write into a workload what texts.yaml declares of its text, since a worker reads no YAML."""
        node = given.get("text")
        declared = self.catalogue.texts.get(str(plain(node))) if node is not None else None
        if node is None or declared is None:
            return given
        if "corpus" not in probe.workload.model_fields:
            return {**given, "text": Node(declared.path, node.path, node.line)}
        if "corpus" in given:
            self.mistakes.add(f"texts.yaml says how '{plain(node)}' is read; leave 'corpus' out", given["corpus"])
            return given
        fields = declared.model_dump(mode="json", exclude_defaults=True)
        said = {name: Node(value, node.path, node.line) for name, value in fields.items()}
        return {**given, "corpus": Node(said, node.path, node.line)}

    def references(self, probe: Probe, fields: Mapping[str, Node], node: Node) -> list[ReferenceChoice | None]:
        """Read what a probe compares with; a list is an axis."""
        if "reference" not in fields:
            if probe.reference == "needed":
                self.mistakes.add(f"probe '{probe.name}' needs a reference, as 'reference: {{method: fp32}}'", node)
            return [None] if probe.reference == "none" else []
        if probe.reference == "none":
            self.mistakes.add(f"probe '{probe.name}' takes no 'reference'; remove it", fields["reference"])
            return []
        found: list[ReferenceChoice | None] = []
        for item in self.values(fields["reference"], "reference"):
            found += self.reference(item)
        return found

    def reference(self, node: Node) -> list[ReferenceChoice]:
        """Read one reference: `{method: fp32}`, with `engine` where it is another one."""
        parts = mapping(node, "'reference'", self.mistakes, REFERENCE)
        if "method" not in parts:
            self.mistakes.add("a reference needs a method, as {method: fp32}", node)
            return []
        choice = self.choice(parts["method"])
        engines: list[EngineChoice | None] = list(self.engines(parts["engine"])) if "engine" in parts else [None]
        return [ReferenceChoice(choice, engine) for engine in engines] if choice else []

    def skips(self, node: Node) -> list[Mapping[str, tuple[str, ...]]]:
        """Read what is left out of the product: all keys of an entry must match."""
        known: dict[str, Iterable[str]] = {
            "model": self.catalogue.models,
            "method": self.catalogue.methods,
            "engine": self.adapters.engine_names(),
            "environment": self.catalogue.environments,
            "probe": self.adapters.probe_names(),
        }
        found: list[Mapping[str, tuple[str, ...]]] = []
        for item in self.values(node, "skip"):
            parts = mapping(item, "an entry of 'skip'", self.mistakes, SKIP)
            names = {
                key: [self.known(value, key, known[key]) for value in self.values(part, key)]
                for key, part in parts.items()
            }
            if not names:
                if not item.fields:
                    self.mistakes.add("an empty entry of 'skip' would skip everything", item)
                continue
            found.append({key: tuple(name for name in given if name) for key, given in names.items()})
        return found

    def rerun(self, node: Node) -> tuple[Kind, ...]:
        """Read which kinds of jobs are run anew."""
        kinds: tuple[Kind, ...] = get_args(Kind)
        found = [self.known(item, "kind of job", kinds) for item in self.values(node, "rerun")]
        return tuple(name for name in kinds if name in found)
