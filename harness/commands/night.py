"""One night: a baseline and a candidate over a whole sweep in one sitting, and what of it somebody should look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from rich.console import Console

from harness.commands.bench import prepare
from harness.commands.disk import disk_needs, refuse_what_cannot_fit
from harness.commands.estimates import verdicts, with_commits
from harness.commands.fresh import STAYS
from harness.commands.machine import CheckedSweep, Planned, checked_sweep, environments_of, open_workspace, plan_checked
from harness.commands.night_again import measure_again
from harness.commands.night_asked import NightAsked, fresh_record, identities
from harness.commands.night_before import BaselineNow, baseline_now, changed_numbers, scored, scores_after
from harness.commands.night_canary import CanaryNight, canary_budget, canary_folder, run_canaries
from harness.commands.night_candidate import with_candidate
from harness.commands.night_main import MainNight, main_numbers, without
from harness.commands.night_quality import quality_numbers, refused_by_both, run_quality
from harness.commands.night_rounds import NightReading, family_of, found_of
from harness.commands.night_tables import night_tables
from harness.commands.night_void import void_rounds
from harness.commands.workspace import Workspace
from harness.comparing.gate import Gate, read_gate
from harness.core.errors import HarnessError
from harness.core.paths import NoHome, at_home
from harness.night.acknowledged import KnownChange, read_acknowledged
from harness.night.alarms import with_open
from harness.night.canary import drawn_order
from harness.night.causes import with_causes
from harness.night.files import BEGUN, NIGHTS, alone_tonight, begun, read_nights, write_night
from harness.night.injected import speed_in_numbers
from harness.night.judging import NightFound, with_history
from harness.night.places import night_sweep
from harness.night.record import NightCanary, NightRecord, exit_code, without_folders
from harness.night.void import counted, with_lost
from harness.plan.expand import Plan
from harness.runner.choosing import JobChoice, choose
from harness.runner.night import NightPairs, most_blocks, night_pairs, refuse_nothing, set_apart
from harness.runner.opened import OpenWorkspace
from harness.store.where import parse_where


def run_night(
    asked: NightAsked, console: Console, workspace: Workspace, report: Callable[[NightRecord], None] = lambda _: None
) -> NightRecord:
    """Run a night; the same call continues one that was cut off. The record is in the results folder's `nights`.

    report: is given the whole record before that counts as finished, so that a night which is killed meanwhile reports again.
    Raises: HarnessError where another night runs, sides are not there, nothing of the sweep can run, or a report cannot be written; ConfigError for files with mistakes.
    """

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False, soft_wrap=True)

    where = parse_where(asked.where)
    gate, known = read_gate(workspace.named), read_acknowledged(workspace.named)
    with alone_tonight(workspace.results / NIGHTS), ExitStack() as stack:
        nights = read_nights(workspace.results / NIGHTS)
        checked = with_commits(checked_sweep(asked.sweep, workspace), say)
        checked, candidate = with_candidate(checked, asked.baseline, asked.candidate, say)
        sides = (asked.baseline, candidate)
        named = environments_of(checked.sweep)
        checked = replace(checked, sweep=night_sweep(checked.sweep, *sides))
        stayed = _prepared(checked, say)
        planned = plan_checked(checked)
        planned = replace(planned, plan=set_apart(planned.plan, named))
        plan = choose(planned.plan, JobChoice(asked.only)) if asked.only else planned.plan
        planned = replace(planned, plan=plan)
        pairs = night_pairs(plan, sides)
        refuse_nothing(plan, sides, pairs)
        opened = open_workspace(planned, stack)
        refuse_what_cannot_fit(disk_needs(planned, verdicts(planned, opened), workspace.results), workspace.results)
        record, told = begun(nights, fresh_record(asked, planned, sides, gate), datetime.now(UTC))
        past = counted(nights.like(record), void_rounds(nights.like(record), opened.database))
        told += [*past.told, *neither({**pairs.refused, **refused_by_both(plan, sides)})]
        for line in told:
            say(line)
        record = record.model_copy(update={"told": tuple(dict.fromkeys((*record.told, *stayed, *told)))})
        reading = NightReading(where, identities(plan, record), asked.disturbed)
        before = past.nights
        baseline = baseline_now(record, before, plan, reading.identity)
        night = _Night(planned, opened, pairs, gate, known, reading, record, before, baseline, console)
        record = night.all(sides)
        record = with_causes(record, known, before, nights.records)
        record = record.model_copy(update={"finished": datetime.now(UTC)})
        record = with_lost(with_open(record, before[-1] if before else None), past.lost)
        scores = scores_after(record, baseline, night.scored)
        record = night.public(record.model_copy(update={"exit_code": exit_code(record), "scores": scores}))
        try:
            report(record)
        except OSError as error:
            night.keep(record)
            raise HarnessError(
                f"night {record.night} is over and on record, but a report could not be written: {error}"
            ) from error
        night.keep(record)
    return record


def _prepared(checked: CheckedSweep, say: Callable[[str], None]) -> list[str]:
    """Get what the sweep needs; return what is not as it was asked for, as a wheel whose newest version cannot be had."""
    said: list[str] = []

    def hear(line: str) -> None:
        said.append(line)
        say(line)

    lacking: list[str] = []
    prepare(checked, hear, make=True, lacking=lacking)
    return [*(line for line in said if STAYS in line), *lacking]


def neither(refused: Mapping[str, str]) -> list[str]:
    """Say what no side can measure, which is neither passing nor missing."""
    return [f"{name}: neither side can run it here ({why})" for name, why in refused.items()]


@dataclass
class _Night:
    """A night while it goes on."""

    planned: Planned
    opened: OpenWorkspace
    pairs: NightPairs
    gate: Gate
    known: Sequence[KnownChange]
    reading: NightReading
    record: NightRecord
    before: Sequence[NightRecord]
    """Finished nights of the same sweep and sides."""
    baseline: BaselineNow
    console: Console
    scored: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """The baseline's quality tonight: what is measured to its name and run."""

    @property
    def plan(self) -> Plan:
        """Everything that may run."""
        return self.planned.plan

    @property
    def workspace(self) -> Workspace:
        """Where it is written."""
        return self.planned.workspace

    def all(self, sides: tuple[str, str]) -> NightRecord:
        """Build and score, prove the gate, measure, measure again; each part that is over is on record."""
        self.keep(self.record)
        runs = run_quality(self.plan, self.opened, self.console)
        self.scored = scored(self.plan, self.baseline.side, runs, self.opened)
        most = most_blocks(self.pairs.pairs)
        order = drawn_order(self.pairs.pairs, self.record.seed, self._missed())
        main = MainNight(
            self.plan, sides, self.pairs, self.opened, self.gate, self.reading, self.console, self.record.night, self.record.seed, self.baseline,
            self.spent,
        )  # fmt: skip
        if "canary" not in self.record.sessions:
            self._canaries(sides, runs, most)
        if "main" not in self.record.sessions:
            quality = quality_numbers(self.plan, sides, runs, self.opened)
            known = found_of("", quality.numbers, self.opened, self.reading)
            known += changed_numbers(self.baseline, self.scored, self.opened, self.reading)
            found = main_numbers(main, order, known, most, self._left())
            lacking = [without(name, "missing", why) for name, why in quality.lacking]
            tables = night_tables(self.planned, self.opened, found.session, runs.values(), whole=found.is_whole)
            self._over(
                "main", found.session, numbers=(*found.numbers, *lacking), unchanged=quality.unchanged,
                canaries=self._canaries_in(found.timed, sides), tables=tables,
            )  # fmt: skip
        if "again" in self.record.sessions:
            return self.record
        numbers, suspects = with_history(self.record, self.before, self.gate, self.known)
        numbers, session = measure_again(main, order, numbers, runs, self._left(), suspects)
        self._over("again", session, numbers=tuple(numbers))
        return self.record

    def _canaries(self, sides: tuple[str, str], runs: dict[str, str], most: int) -> None:
        nights = self.workspace.results / NIGHTS
        folder = canary_folder(nights, self.record.night, anew=BEGUN not in self.record.sessions)
        self._over(BEGUN, "")
        night = CanaryNight(
            self.plan, sides[0], self.opened, runs, self.gate, self.record.seed, self.reading, family_of(self.plan, sides[0], self.reading.where), self.console,
            canary_budget(self.record.budget, self._left()), self.spent(),
        )  # fmt: skip
        canaries = run_canaries(night, self.pairs.pairs, folder, most)
        self._over("canary", "", canaries=tuple(canaries))

    def _canaries_in(self, timed: Sequence[NightFound], sides: tuple[str, str]) -> tuple[NightCanary, ...]:
        """Put a canary into what rounds gave, where no engine of the sweep could carry one."""
        family = family_of(self.plan, sides[0], self.reading.where)
        return tuple(
            speed_in_numbers(one, timed, self.gate, self.record.seed, family) if one.awaits_numbers else one
            for one in self.record.canaries
        )

    def spent(self) -> Callable[[float], None]:
        """Return what puts on record how many more seconds rounds took, from now on."""
        before = self.record.used
        return lambda seconds: self.keep(self.record.model_copy(update={"used": before + seconds}))

    def _left(self) -> float:
        """Return the seconds that are left to rounds: canaries took theirs, and so did a command that was cut off."""
        return self.record.budget - self.record.used

    def _missed(self) -> list[str]:
        """Name the pairs that the night before did not reach."""
        return [one.pair for night in self.before[-1:] for one in night.of("not reached")]

    def _over(self, part: str, session: str, **more: object) -> None:
        """Put on record that a part of the night is over."""
        sessions = {**self.record.sessions, part: session}
        self.keep(self.record.model_copy(update={"sessions": sessions, **more}))

    def keep(self, record: NightRecord) -> None:
        """Write the record."""
        self.record = self.public(record)
        write_night(self.workspace.results / NIGHTS, self.record)

    def public(self, record: NightRecord) -> NightRecord:
        """Cut this machine's folders out of a record."""
        named = {str(folder): folder.name for folder in self.workspace.named}
        folders = {str(self.workspace.results): "results", **named, str(self.workspace.root): ""}
        with suppress(NoHome):
            folders[str(at_home("~"))] = "~"
        return without_folders(record, folders)
