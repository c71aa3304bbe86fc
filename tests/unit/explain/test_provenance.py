"""What stands behind a number: options, trees, samples, citations, and the reason of a run that failed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from harness.core.spec import Status
from harness.explain.archive import archive_of
from harness.explain.cell import Shown, explain
from harness.explain.facts import Harness
from harness.explain.provenance import harness_of, provenance
from harness.explain.text import as_text
from harness.pages import writing
from harness.published.sources import from_published
from harness.tables.locate import Spot, named
from tests.unit.explain.site import PUBLISHED, Site, at


def test_an_engine_option_and_a_key_that_a_row_lacks_are_explained(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "quickstart.tables.yaml"
    path.write_text(
        "t: {rows: [method, gpu, engine_options], show: [method, gpu, engine_options.provider, engine_options.threads],"
        " cells: {Decode: {metric: decode_tps}}}",
        encoding="utf-8",
    )
    (spec,) = writing.specs_in([path], site.catalogue)
    rendered = writing.renderer(site.source, site.catalogue)(spec)
    shown = Shown(rendered, spec, site.catalogue, archive_of(site.source))
    row = rendered.table.sections[0].rows[0]
    assert [cell.text for cell in row[1:4]] == ["-", "cpu", "-"]
    said = [explain(shown, Spot(0, 0, column)).said for column in (1, 2, 3)]
    assert said[0].startswith("This row has no gpu")
    assert said[1].startswith("This is what the engine was told as 'provider': {")
    assert said[2].startswith("This is empty, since nothing is what the engine was told as 'threads'")


def test_a_dirty_tree_is_told(site: Site) -> None:
    outcome = site.source.database.outcome(at(site, "quickstart-speed", "INT8", "Decode (tok/s)").inputs[0].run)
    environment = outcome.environment.model_copy(update={"harness": "0.1.0+725a49d309cf-dirty"})
    assert harness_of(environment) == Harness("0.1.0", "725a49d309cf", dirty=True)
    assert harness_of(outcome.environment).dirty is False


def test_what_a_night_measured_beside_its_sweep_names_the_night(site: Site) -> None:
    run = at(site, "quickstart-speed", "INT8", "Decode (tok/s)").inputs[0].run
    outcome = site.source.database.outcome(run)
    labels = outcome.job.labels.model_copy(update={"sweep": "quickstart by night"})
    other = outcome.model_copy(update={"job": outcome.job.model_copy(update={"labels": labels})})
    archive = archive_of(site.source)
    assert provenance(archive, "value", run).rerun.startswith("harness run quickstart --only ")
    found = provenance(replace(archive, outcome=lambda _: other), "value", run)
    assert (found.command, found.rerun) == ("harness night quickstart", "harness night quickstart")


def test_a_statistic_is_told_with_its_samples(site: Site) -> None:
    found = at(site, "quickstart-floor", "FP32", "99th percentile (nat)")
    assert found.inputs[0].measured is not None
    assert "p99" in found.inputs[0].measured.summary
    assert {one.kind for one in found.behind} == {"reference", "build"} or "reference" in {
        one.kind for one in found.behind
    }


def test_a_reported_number_shows_its_citation(site: Site) -> None:
    found = at(site, "bnb", "1", "Latency Improvement")
    text = as_text(found)
    assert found.inputs[0].origin == "reported"
    assert "reported, not measured: bitsandbytes benchmarking/README.md" in text
    assert "from the digits that the table displays" in text
    assert "harness run" not in text
    assert "as its source defines it" in text


def test_a_failed_run_is_told_with_its_reason(site: Site) -> None:
    with from_published(PUBLISHED) as source:
        ok = source.database.outcome(at(site, "quickstart-speed", "INT8", "Decode (tok/s)").inputs[0].run)
        job = ok.job.model_copy(update={"run": "20261201T000000-s-oom"})
        later = {
            "started": ok.started + timedelta(days=1),
            "status": Status.OOM,
            "reason": "killed for memory while loading",
        }
        for database in {source.database, source.of_sweeps(["quickstart"])}:
            database.ingest(ok.model_copy(update={**later, "job": job, "measurements": ()}), None)
        spec = site.tables["quickstart-speed"].spec
        rendered = writing.renderer(source, site.catalogue)(spec)
        shown = Shown(rendered, spec, site.catalogue, archive_of(source))
        found = explain(shown, named(rendered, "INT8", "Decode (tok/s)"))
    assert (found.kind, found.text) == ("failed", "oom")
    assert found.said.endswith("has status oom: killed for memory while loading.")
    assert found.footnote == "generation: oom: killed for memory while loading"
    assert "20261201T000000-s-oom" in as_text(found)
