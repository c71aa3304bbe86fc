"""What a job asks: the same through every upgrade of what builds and runs, another for another recipe, folder or workload."""

from __future__ import annotations

from typing import Any

from harness.core.identity import digest
from harness.core.spec import BuildSpec, MeasureSpec
from harness.plan.keys import artifact_id, spec_key
from harness.plots.asked import Lineage
from harness.probes.perplexity import PROBE
from harness.store.cache import Maker

OWN = digest("a model's folder")


def measure(artifact: str, **rest: Any) -> MeasureSpec:
    facts = {"probe": "perplexity", "version": 1, "engine": "ort-genai", "engine_version": 1, "artifact": artifact}
    return MeasureSpec(**(facts | rest))


def build(**rest: Any) -> BuildSpec:
    return BuildSpec(
        **({"quantizer": "ort-genai", "version": 1, "options": {"precision": "int4"}, "model": OWN} | rest)
    )


def lineage(*jobs: MeasureSpec | BuildSpec, made: dict[str, BuildSpec | MeasureSpec] | None = None) -> Lineage:
    """Say which jobs there are, and what a job made, by its id."""
    makers = {identity: [Maker(spec_key(spec), "cpu", "0", "m", "")] for identity, spec in (made or {}).items()}
    return Lineage({spec_key(job): job for job in (*jobs, *(made or {}).values())}, makers)


def asked(known: Lineage, spec: MeasureSpec | BuildSpec) -> str:
    return known.asked(spec_key(spec))


def test_versions_in_an_artifact_s_id_are_no_other_question_and_options_are() -> None:
    ids = [artifact_id(spec_key(build()), {"onnxruntime-genai": version}) for version in ("0.15", "0.18")]
    other = build(options={"precision": "int8"})
    last = artifact_id(spec_key(other), {"onnxruntime-genai": "0.18"})
    jobs = [measure(one) for one in (*ids, last)]
    known = lineage(*jobs, made={ids[0]: build(), ids[1]: build(), last: other})
    found = [asked(known, job) for job in jobs]
    assert found[0] == found[1] != found[2]
    assert len({spec_key(job) for job in jobs}) == 3


def test_what_nobody_on_record_made_is_its_own_content() -> None:
    jobs = [measure(OWN), measure(digest("the same folder, changed")), measure("an artifact that no run here built")]
    assert [asked(lineage(*jobs), job) for job in jobs] == [spec_key(job) for job in jobs]
    assert lineage().asked("a key that nobody knows") == "a key that nobody knows"


def test_versions_behind_a_base_a_random_model_and_a_reference_are_no_other_question() -> None:
    def versions(number: str) -> tuple[MeasureSpec, dict[str, BuildSpec | MeasureSpec]]:
        weights, base, whole, reference = (f"{name} {number}" for name in ("weights", "base", "whole", "reference"))
        made: dict[str, BuildSpec | MeasureSpec] = {
            weights: build(quantizer="random-weights", model="configuration and seed"),
            base: build(options={}, model=weights),
            whole: build(model=weights, base=base),
            reference: measure(base, probe="kl_reference"),
        }
        return measure(whole, probe="kl_divergence", reference=reference), made

    (old, before), (new, after) = versions("0.15"), versions("0.18")
    known = lineage(old, new, made=before | after)
    assert spec_key(old) != spec_key(new)
    assert asked(known, old) == asked(known, new)
    assert [*known.behind(spec_key(old), "", "")] == [*known.behind(spec_key(new), "", "")]
    assert len(known.behind(spec_key(old), "", "")) == 4
    assert asked(known, new) != asked(known, measure("whole 0.18", probe="kl_divergence"))


def test_a_text_that_lies_elsewhere_is_the_same_question_and_another_one_is_not() -> None:
    made: dict[str, BuildSpec | MeasureSpec] = {"b-1": build(), "b-2": build()}
    jobs = [
        measure(artifact, workload={"text": place}, contents={"text": text})
        for artifact, place, text in (
            ("b-1", "/here/a.txt", "1"),
            ("b-2", "/there/a.txt", "1"),
            ("b-2", "/there/a.txt", "2"),
        )
    ]
    jobs_by_key = {spec_key(job, PROBE.located): job for job in jobs}
    known = lineage(made=made)
    known = Lineage({**known.jobs, **jobs_by_key}, known.makers)
    found = [known.asked(key) for key in jobs_by_key]
    assert found[0] == found[1] != found[2]


def test_a_record_that_reads_what_it_makes_ends() -> None:
    spec = build(base="b-1")
    known = lineage(measure("b-1"), made={"b-1": spec})
    assert asked(known, spec)
    assert len(known.behind(spec_key(measure("b-1")), "", "")) == 1


def test_of_those_who_made_the_same_the_last_before_a_run_counts_and_behind_it_the_last_before_it() -> None:
    def maker(spec: BuildSpec, name: str, machine: str, day: int) -> Maker:
        return Maker(spec_key(spec), name, name, machine, f"2026-01-{day:02d}T00:00:00+00:00")

    base, whole = build(options={}), build(base="base")
    made = {
        "base": [maker(base, "base 1", "here", 1), maker(base, "base 5", "here", 5)],
        "whole": [
            maker(whole, "whole 3", "here", 3),
            maker(whole, "whole 4", "there", 4),
            maker(whole, "whole 6", "here", 6),
        ],
    }
    job = measure("whole")
    known = Lineage({spec_key(one): one for one in (base, whole, job)}, made)

    def behind(day: int, machine: str = "here") -> list[str]:
        found = known.behind(spec_key(job), f"2026-01-{day:02d}T12:00:00+00:00", machine)
        return [one.environment for one in found.values()]

    assert behind(5) == ["whole 3", "base 1"]
    assert behind(7) == ["whole 6", "base 5"]
    assert behind(7, "there") == ["whole 4", "base 1"]
    assert behind(7, "on a third machine") == ["whole 6", "base 5"]
    assert behind(2) == ["whole 3", "base 1"]


def test_a_build_is_lacking_behind_a_base_and_a_reference_too_and_never_where_a_model_lies() -> None:
    whole, base = build(base="base"), build(options={})
    reference = measure("base", probe="kl_reference")
    job = measure("whole", probe="kl_divergence", reference="reference")
    known: dict[str, BuildSpec | MeasureSpec] = {"whole": whole, "base": base, "reference": reference}
    jobs = {spec_key(one): one for one in (job, *known.values())}
    for left in (None, *known):
        makers = {name: [Maker(spec_key(one), "", "", "", "")] for name, one in known.items() if name != left}
        assert Lineage(jobs, makers, frozenset({OWN})).lacks(spec_key(job)) == (left is not None)
    live = measure("whole", probe="kl_divergence", reference=OWN)
    other = live.model_copy(update={"artifact": "a build that is not on record"})
    makers = {name: [Maker(spec_key(known[name]), "", "", "", "")] for name in ("whole", "base")}
    found = Lineage(jobs | {spec_key(one): one for one in (live, other)}, makers, frozenset({OWN}))
    assert [found.lacks(spec_key(one)) for one in (live, other)] == [False, True]
    assert found.work(spec_key(live)) == found.work(spec_key(other)) != found.work(spec_key(job))
