"""What planning has found out so far: sources, artifacts, hashes, drafts of jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.core import limits
from harness.core.errors import ConfigError, HarnessError, Problem
from harness.core.identity import file_sha256, folder_sha256
from harness.core.seam import Facts
from harness.core.spec import Labels
from harness.environments import is_for
from harness.plan.adapters import Adapters
from harness.plan.artifact_ref import ArtifactRef
from harness.plan.entries import Catalogue
from harness.plan.jobs import Draft
from harness.plan.keys import KnownBy, known_by
from harness.plan.sources import ModelSource, find, hash_model
from harness.plan.sweep import Places
from harness.plan.yamlfile import Mistakes, Node

MISSING = "environment '{0}' is not on this machine: harness setup --env {0}"
ANOTHER_SYSTEM = "environment '{}' is for {}, and this machine is not"


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
    made: dict[tuple[Any, ...], ArtifactRef | None] = field(default_factory=dict)
    _hashes: dict[Path, str] = field(default_factory=dict)
    _known: dict[tuple[tuple[str, ...], str, str], KnownBy] = field(default_factory=dict)

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

    def known(self, names: tuple[str, ...], provider: str, environment: str) -> KnownBy:
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
