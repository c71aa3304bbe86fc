"""What a night's series are held against: the packages that decide their numbers, and no others."""

from __future__ import annotations

from dataclasses import replace

from harness.commands.machine import plan_sweep
from harness.commands.night_asked import identities
from harness.host import facts
from harness.night.record import NightSide
from harness.plan.expand import Plan, expand
from tests.fake_machine import Bench
from tests.unit.commands.night_bench import night_bench
from tests.unit.night.numbers import night
from tests.unit.runner.test_choosing import job

SIDES = {"baseline": NightSide(name="old"), "candidate": NightSide(name="new")}


def test_packages_of_what_a_job_reads_count_and_those_of_its_verification_and_of_the_candidate_do_not() -> None:
    def found(**packages: str) -> dict[str, str]:
        def known(*names: str) -> dict[str, object]:
            return {"known_by": {"packages": {name: packages.get(name, "1") for name in names}}}

        build = job("b", "build", "int4", environment="export", **known("quantizer"))
        check = job("v", "quality", "int4", **known("torch"))
        check = replace(check, spec=check.spec.model_copy(update={"probe": "verify"}))
        mine = job("s", "speed", "int4", ("v", "b"), environment="old", **known("engine"))
        other = job("t", "speed", "int4", ("b",), environment="new", key="s", **known("candidate"))
        elsewhere = job("u", "speed", "int4", environment="old", key="s", other_gpu="H200", **known("elsewhere"))
        jobs = (build, check, mine, other, elsewhere)
        assert identities(Plan("s", jobs), night(**SIDES)) == identities(Plan("s", jobs[::-1]), night(**SIDES))
        return identities(Plan("s", jobs), night(**SIDES))

    first = found()
    assert set(first) == {"b", "v", "s"}
    for name in ("torch", "candidate", "elsewhere"):
        assert found(**{name: "2"})["s"] == first["s"]
    for name in ("engine", "quantizer"):
        assert found(**{name: "2"})["s"] != first["s"]
    assert found(engine="2")["b"] == first["b"]


def test_of_a_sweep_another_certifi_begins_nothing_anew_and_another_numpy_does(bench: Bench) -> None:
    planned = plan_sweep("s", night_bench(bench).workspace)

    def found(**packages: str) -> dict[str, str]:
        there = {name: facts(one) for name, one in planned.environments.items()}
        here = {name: replace(one, packages={**one.packages, **packages}) for name, one in there.items()}
        return identities(expand(planned.sweep, planned.catalogue, here), night(**SIDES))

    first = found()
    assert found(certifi="0.1", pip="0.1", unheard_of="1") == first
    kinds = {one.key: one.kind for one in planned.plan.jobs}
    changed = {kinds[key] for key, identity in found(numpy="0.1").items() if identity != first[key]}
    assert {"quality", "speed"} <= changed
    assert "build" not in changed, "the fake quantizer names no package"
