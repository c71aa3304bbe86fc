"""Every cell of every page explains itself, and what it says is true."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from statistics import fmean

import pytest

from harness import cli
from harness.commands.explain import explained, explanation
from harness.commands.workspace import Workspace, pages_of, read_workspace
from harness.core.errors import HarnessError
from harness.core.marks import PACED
from harness.core.outcome import Scheme
from harness.core.spec import Status
from harness.environments import ROOT
from harness.explain.archive import Archive, archive_of
from harness.explain.arithmetic import arithmetic
from harness.explain.cell import Explanation, Shown, explain
from harness.explain.facts import Harness
from harness.explain.provenance import harness_of, measurement_of
from harness.explain.text import as_text
from harness.markdown.marked import marked_places
from harness.pages import pages
from harness.published.sources import NumberSource, from_published
from harness.store.database import Database
from harness.tables.catalogue import TableCatalogue, catalogue_of
from harness.tables.compare import COMPARISONS, Operand
from harness.tables.formats import NumberFormat, decimal, factor, rounded, written
from harness.tables.locate import Beside, Spot, cell_lines, named, pointed
from harness.tables.markdown import cell_text
from harness.tables.result import Cell, CellTrace, Side
from harness.tables.samples import statistic_of

HASH = re.compile(r"[0-9a-f]{64}")
PUBLISHED = ROOT / "results" / "published"


@dataclass(frozen=True)
class Site:
    """All pages, and all tables that they show, rendered once."""

    pages: tuple[Path, ...]
    tables: dict[str, Shown]
    source: NumberSource
    catalogue: TableCatalogue


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    catalogue = catalogue_of(ROOT / "configs")
    specs = pages.specs_in([ROOT / "reports" / "tables"], catalogue)
    with from_published(PUBLISHED) as source:
        render = pages.renderer(source, catalogue)
        archive = archive_of(source)
        tables = {spec.name: Shown(render(spec), spec, catalogue.renamed(spec.titles), archive) for spec in specs}
        yield Site(tuple(pages.with_markers(pages_of(read_workspace(ROOT)))), tables, source, catalogue)


def split(line: str) -> list[str]:
    """Split a line of a pipe table into its cells."""
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip())[1:-1]]


def cells_of(site: Site, page: Path) -> Iterator[tuple[Shown, Spot, str]]:
    """Find every cell of a page through its line and column, with what the page says there."""
    text = pages.read_page(page)
    lines = text.replace("\r", "").split("\n")
    for block in marked_places(text, page):
        shown = site.tables[block.name]
        for at in cell_lines(shown.rendered):
            number = block.begin + 2 + at + 1
            first = pointed(text, page, number, 1, shown.rendered)
            for column, said in enumerate(split(lines[number - 1])):
                if isinstance(first, Spot):
                    yield shown, replace(first, column=column), said
                else:
                    assert set(said) <= set(":-")


# ---------------------------------------------------------------- every cell


@pytest.mark.slow
def test_every_cell_of_every_page_explains_itself(site: Site) -> None:
    kinds: dict[str, int] = {}
    for page in site.pages:
        for shown, spot, said in cells_of(site, page):
            found = explain(shown, spot)
            place = f"{page.name} {found.table} {found.row} {found.column}"
            kinds[found.kind] = kinds.get(found.kind, 0) + 1
            assert found.said.endswith("."), place
            if spot.row is not None:
                cell = shown.rendered.table.sections[spot.section].rows[spot.row][spot.column]
                assert cell_text(cell) == said, place
                if cell.trace is not None:
                    check_number(shown.archive, cell)
                    check_provenance(found)
                    assert found.arithmetic is not None, place
                    assert found.arithmetic.agrees, place
                else:
                    assert found.kind != "number", place
                    key = cell.asked.attribute if cell.asked else None
                    if key is not None and key.dimension == "bits_per_weight":
                        assert found.kind == "attribute", place
                        check_bits(shown, spot)
                    else:
                        assert not re.fullmatch(r"[-+]?[\d,.]+[x%]?", cell.text) or found.kind == "name", place
            assert as_text(found), place
            json.dumps(found.as_json(), allow_nan=False)
    assert kinds["number"] > 100
    assert kinds["name"] > 20
    assert kinds["heading"] > 20


def statistic_over(archive: Archive, side: Side, stat: str) -> float:
    """Compute a percentile of each round of the sitting, and their mean, without the code of tables."""
    assert stat.startswith("p")
    beside = [str(row.get("measurement_id")) for row in archive.sitting(side.measurement)] or [side.measurement]
    assert len(beside) == (side.rounds or 1)
    kept = [archive.reader.statistics(one).get(stat) for one in beside]
    samples = [archive.reader.samples(one) for one in beside]
    found = [one or statistic_of(of_round, stat) for one, of_round in zip(kept, samples, strict=True)]
    return fmean(value for value in found if value is not None)


def check_number(archive: Archive, cell: Cell) -> None:
    """Go from the stored measurements to the text that stands in the cell, without the explanation."""
    trace, asked = cell.trace, cell.asked
    assert trace is not None
    assert asked is not None
    assert tuple(side.measurement for side in trace.sides) == cell.measurements
    for side in trace.sides:
        held = measurement_of(archive, side.measurement)
        assert side.measurement.startswith(f"{side.run}#")
        assert held.metric == trace.metric
        assert held.slice == asked.slice or "slice" in cell.address
        mean = held.value if side.stored is None else float(side.stored)
        raw = mean if asked.stat is None else statistic_over(archive, side, asked.stat)
        value = decimal(raw or 0.0) * (1 if trace.published else factor(held.unit, asked.unit))
        if trace.inputs == "displayed":
            value = rounded(value, -int(side.value.as_tuple().exponent))
        assert value == side.value or trace.at_1ms
    if trace.at_1ms:
        check_pace(trace)
    result = of(trace)
    assert abs(result - trace.result) <= abs(result) * Decimal("1e-20")
    scale = Decimal(100) if COMPARISONS[trace.comparison].result == "number" and asked.format.suffix == "%" else 1
    number = written(result * scale, asked.format)
    number = asked.words.get(number, number)
    rest = cell.text.removeprefix(number)
    assert cell.text.startswith(number)
    assert rest.removesuffix(" ~").removesuffix(f" {PACED}").removesuffix(" (lower is better)") == beside(cell, scale)


def check_pace(trace: CellTrace) -> None:
    """Go from the means at a pace of 1 ms to what was compared: their ratio, as far above the means stored as below."""
    assert trace.at_1ms is not None
    value, baseline = (side.value for side in trace.sides)
    assert float(value / baseline) == pytest.approx(float(trace.at_1ms[0] / trace.at_1ms[1]), rel=1e-9)
    shares = [float(side.value / (side.stored or 1)) for side in trace.sides]
    assert shares[0] * shares[1] == pytest.approx(float(factor("tok/s", None)) ** 2, rel=1e-9)


def check_bits(shown: Shown, spot: Spot) -> None:
    """Go from the runs of a row's own numbers to the artifacts that they read, whose bits per weight stand in the row."""
    assert spot.row is not None
    row = shown.rendered.table.sections[spot.section].rows[spot.row]
    sides = [cell.trace.sides[0] for cell in row if cell.trace is not None]
    assert sides
    schemes = [scheme_of(shown.archive, side.run) for side in sides]
    assert row[spot.column].text == ", ".join(sorted({f"{scheme.bits_per_weight:.2f}" for scheme in schemes}))


def scheme_of(archive: Archive, run: str) -> Scheme:
    """Find how the weights are stored that a run made or measured: as it says itself, else as the run that made them says."""
    outcome = archive.outcome(run)
    said = outcome.scheme or (outcome.artifact.scheme if outcome.artifact else None)
    if said is not None:
        return said
    read = next(item.id for item in outcome.inputs if item.role == "artifact")
    assert archive.makers[read] != run
    return scheme_of(archive, archive.makers[read])


def of(trace: CellTrace) -> Decimal:
    operands = [Operand(side.value, gpus=side.gpus) for side in trace.sides]
    if trace.published:
        assert len(operands) == 1
        return operands[0].value
    comparison = COMPARISONS[trace.comparison]
    assert comparison.formula == trace.formula
    assert len(operands) == 1 + comparison.needs_baseline
    return comparison.of(operands[0], operands[-1])


def beside(cell: Cell, scale: Decimal | int) -> str:
    """Write the uncertainty that must stand beside a number."""
    trace, asked = cell.trace, cell.asked
    assert trace is not None
    assert asked is not None
    style = "interval" if asked.paired else asked.uncertainty
    if style not in {"pm", "interval"} or trace.low is None or trace.high is None or asked.words:
        return ""
    low, high, result = trace.low * scale, trace.high * scale, trace.result * scale
    if style == "pm" and high - low <= abs(result) / 2:  # a wider one stands as its ends
        half = max(result - low, high - result)
        least = Decimal(10) ** -asked.format.decimals
        if 0 < half <= least / 2:
            return f" ± <{least}"
        return f" ± {written(half, NumberFormat(asked.format.decimals, comma=asked.format.comma))}"
    ends = NumberFormat(asked.format.decimals, sign=asked.format.sign, comma=asked.format.comma)
    return f" [{written(low, ends)}, {written(high, ends)}]"


def check_provenance(found: Explanation) -> None:
    """Hold what an explanation must say of each input."""
    assert found.inputs
    for one in found.inputs:
        assert one.run
        assert one.status == "ok"
        assert one.measured is not None
        assert one.environment.name
        assert datetime.fromisoformat(one.started).year > 2000
        assert one.recipe.name
        if one.origin == "measured":
            assert one.command == f"harness run {one.labels['sweep']}"
            assert one.harness is not None
            assert one.harness.version
            assert one.harness.commit
            assert one.environment.packages
            assert one.environment.python != "unknown"
            read = [item for item in one.artifacts if item.role in {"artifact", "made"}]
            assert read
            assert all(item.content and HASH.fullmatch(item.content) for item in read)
        else:
            assert one.citation["title"]
            assert not one.command
    walked = {one.run for one in (*found.inputs, *found.behind)}
    makers = {item.made_by for one in found.inputs for item in one.artifacts if item.made_by}
    assert makers <= walked


def test_a_wrong_trace_is_found(site: Site) -> None:
    shown = site.tables["quickstart-speed"]
    at = named(shown.rendered, "INT4 RTN", "Decode speed-up")
    assert at.row is not None
    cell = shown.rendered.table.sections[0].rows[at.row][at.column]
    assert cell.trace is not None
    value, baseline = cell.trace.sides
    wrong = replace(cell, trace=replace(cell.trace, sides=(baseline, value)))
    stored = [measurement_of(shown.archive, side.measurement) for side in (baseline, value)]
    assert not arithmetic(wrong, stored).agrees
    with pytest.raises(AssertionError):
        check_number(shown.archive, wrong)
    larger = replace(value, value=value.value * Decimal("1.01"))
    with pytest.raises(AssertionError):
        check_number(shown.archive, replace(cell, trace=replace(cell.trace, sides=(larger, baseline))))


# ---------------------------------------------------------------- what it says


def at(site: Site, table: str, row: str, column: str) -> Explanation:
    shown = site.tables[table]
    return explain(shown, named(shown.rendered, row, column))


def test_an_engine_option_and_a_key_that_a_row_lacks_are_explained(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "quickstart.tables.yaml"
    path.write_text(
        "t: {rows: [method, gpu, engine_options], show: [method, gpu, engine_options.provider, engine_options.threads],"
        " cells: {Decode: {metric: decode_tps}}}",
        encoding="utf-8",
    )
    (spec,) = pages.specs_in([path], site.catalogue)
    rendered = pages.renderer(site.source, site.catalogue)(spec)
    shown = Shown(rendered, spec, site.catalogue, archive_of(site.source))
    row = rendered.table.sections[0].rows[0]
    assert [cell.text for cell in row[1:4]] == ["-", "cpu", "-"]
    said = [explain(shown, Spot(0, 0, column)).said for column in (1, 2, 3)]
    assert said[0].startswith("This row has no gpu")
    assert said[1].startswith("This is what the engine was told as 'provider': {")
    assert said[2].startswith("This is empty, since nothing is what the engine was told as 'threads'")


def test_a_speed_up_shows_both_inputs_and_the_builds_behind_them(site: Site) -> None:
    found = at(site, "quickstart-speed", "INT4 RTN", "Decode speed-up")
    text = as_text(found)
    assert [one.role for one in found.inputs] == ["value", "baseline"]
    assert {one.kind for one in found.behind} == {"build"}
    assert len(found.behind) == 2
    value = site.source.database.outcome(found.inputs[0].run).job
    jobs = [outcome.job for outcome in site.source.published.outcomes]
    processes = sum((job.key, job.session) == (value.key, value.session) for job in jobs)
    assert processes > 1
    for part in ("ratio: value / baseline, from raw values", "command: harness run quickstart", "quantizer ort-genai",
                 "half to even", "commit ", f"over {processes} processes of the session", "content ", "batch 1"):  # fmt: skip
        assert part in text, part


def test_a_dirty_tree_is_told(site: Site) -> None:
    outcome = site.source.database.outcome(at(site, "quickstart-speed", "INT8", "Decode (tok/s)").inputs[0].run)
    environment = outcome.environment.model_copy(update={"harness": "0.1.0+725a49d309cf-dirty"})
    assert harness_of(environment) == Harness("0.1.0", "725a49d309cf", dirty=True)
    assert harness_of(outcome.environment).dirty is False


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


def test_a_comparison_that_was_published_without_inputs_says_so(site: Site) -> None:
    found = at(site, "h100-speed", "Llama3-8B / 1", "FP8 / Speedup")
    assert found.arithmetic is not None
    assert found.arithmetic.published
    assert "published as it stands, without its inputs" in as_text(found)


REPORTED = """
reported: {title: A page, url: "https://example.org/page", version: v1, date: 2025-01-31}
blocks:
  - block: speed
    probe: generation
    metrics:
      speedup: {metric: decode_tps, as: ratio, baseline: {method: fp16}}
    columns: [model, method, batch, decode_tps, speedup]
    rows:
      - [tiny, fp16, 1, 10.0, 1.00]
      - [tiny, int4_awq, 1, 30.0, 2.50]
      - [other, int4_awq, 1, 30.0, 2.50]
"""
SPEED = """
page-speed:
  where: {sweep: page}
  rows: [model, method]
  baseline: {method: fp16}
  cells:
    Decode: {metric: decode_tps, format: 1}
    Speed-up: {metric: decode_tps, as: ratio, format: 2}
    First token: {metric: ttft, unit: ms, format: 1}
"""


@pytest.fixture(params=["[model, method]", "[model, method, gpu]"])
def page(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Shown]:
    """The page above, also with a row key that its numbers lack."""
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / "page.yaml").write_text(REPORTED, encoding="utf-8")
    (tmp_path / "page.tables.yaml").write_text(SPEED.replace("[model, method]", request.param), encoding="utf-8")
    (spec,) = pages.specs_in([tmp_path / "page.tables.yaml"], TableCatalogue())
    with from_published(tmp_path / "published") as source:
        rendered = pages.renderer(source, TableCatalogue())(spec)
        yield Shown(rendered, spec, TableCatalogue(), archive_of(source))


def row_name(page: Shown, name: str) -> str:
    return name if len(page.spec.show) == 2 else f"{name} / -"


def test_a_published_comparison_is_held_against_its_published_inputs(page: Shown) -> None:
    text = as_text(explain(page, named(page.rendered, row_name(page, "tiny / int4_awq"), "Speed-up")))
    assert "ratio: value / baseline, published as it stands\n" in text
    assert "published as 2.5; the published inputs 30 / 10 give 3.00" in text
    assert "ratio of decode_tps to method fp16: 2.5 as published [" in text
    assert "decode_tps: 2.5" not in text
    assert ", n 1" not in text


def test_a_published_comparison_without_one_of_its_inputs_says_so(page: Shown) -> None:
    text = as_text(explain(page, named(page.rendered, row_name(page, "other / int4_awq"), "Speed-up")))
    assert "published as it stands, without its inputs" in text
    assert "published as 2.5\n" in text


def test_a_number_that_nobody_published_is_not_called_unmeasured(page: Shown) -> None:
    found = explain(page, named(page.rendered, row_name(page, "tiny / fp16"), "First token"))
    assert found.kind == "not measured"
    assert found.said.startswith("Not published: ")


def test_a_cell_that_was_never_measured_says_so(site: Site) -> None:
    found = at(site, "quickstart-quality", "FP32 / transformers", "Perplexity")
    assert (found.kind, found.text) == ("not measured", "-")
    assert found.said.startswith("Never measured: ")
    assert "engine transformers" in found.said


def test_the_baseline_itself_says_why_it_is_not_compared(site: Site) -> None:
    found = at(site, "quickstart-quality", "FP32 / ONNX Runtime GenAI", "Δ perplexity")
    assert found.kind == "not computed"
    assert "the baseline itself" in found.said
    assert found.inputs


def test_what_was_published_as_not_available_says_why(site: Site) -> None:
    shown = site.tables["bnb"]
    spots = [
        Spot(number, row, column)
        for number, section in enumerate(shown.rendered.table.sections)
        for row, cells in enumerate(section.rows)
        for column, cell in enumerate(cells)
        if cell.text == "N/A"
    ]
    found = explain(shown, spots[0])
    assert found.kind == "failed"
    assert "unsupported: published as N/A" in found.said
    assert "bitsandbytes" in as_text(found)


def test_a_failed_run_is_told_with_its_reason(site: Site) -> None:
    with from_published(PUBLISHED) as source:
        ok = source.database.outcome(at(site, "quickstart-speed", "INT8", "Decode (tok/s)").inputs[0].run)
        job = ok.job.model_copy(update={"run": "20261201T000000-s-oom"})
        later = {
            "started": ok.started + timedelta(days=1),
            "status": Status.OOM,
            "reason": "killed for memory while loading",
        }
        source.database.ingest(ok.model_copy(update={**later, "job": job, "measurements": ()}), None)
        spec = site.tables["quickstart-speed"].spec
        rendered = pages.renderer(source, site.catalogue)(spec)
        shown = Shown(rendered, spec, site.catalogue, archive_of(source))
        found = explain(shown, named(rendered, "INT8", "Decode (tok/s)"))
    assert (found.kind, found.text) == ("failed", "oom")
    assert found.said.endswith("has status oom: killed for memory while loading.")
    assert found.footnote == "generation: oom: killed for memory while loading"
    assert "20261201T000000-s-oom" in as_text(found)


def test_a_name_shows_its_catalogue_entry(site: Site) -> None:
    found = at(site, "quickstart-speed", "INT4 RTN", "Method")
    assert found.kind == "name"
    assert found.address == {"method": "int4_rtn"}
    assert found.entry["title"] == "INT4 RTN"


def test_a_blank_key_tells_what_it_repeats(site: Site) -> None:
    shown = site.tables["windows-mixed"]
    found = explain(shown, Spot(0, 1, 0))
    assert (found.kind, found.text) == ("empty", "")
    assert "repeats the cell above: model 'deepseek" in found.said


def test_a_spacer_and_an_empty_heading_say_what_they_are(site: Site) -> None:
    shown = site.tables["h100-speed"]
    section = shown.rendered.table.sections[0]
    spacer = next(at for at, cell in enumerate(section.rows[0]) if at >= shown.rendered.keys and not cell.text)
    assert explain(shown, Spot(0, section.head_rows, spacer)).kind == "empty"
    assert explain(shown, Spot(0, None, spacer)).said == (
        "The heading of an empty column between two groups; left empty, since the names stand in the next row or in none."
    )
    assert explain(shown, Spot(0, 0, 0)).kind == "heading"


def test_a_line_without_cells_is_told_in_a_sentence(site: Site) -> None:
    found = explain(site.tables["bnb"], Beside("an empty line"), "reports/bitsandbytes.md:9:1")
    assert found.kind == "line"
    assert as_text(found).endswith("This line is an empty line.")


# ---------------------------------------------------------------- the command


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["harness", "explain", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_the_command_of_the_readme_prints_stable_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], site: Site
) -> None:
    (place,) = re.findall(r"`harness explain (README\.md:\d+:\d+)`", (ROOT / "README.md").read_text("utf-8"))
    first = run(monkeypatch, capsys, place, "--json")
    rerun = run(monkeypatch, capsys, place, "--json")
    assert first == rerun
    assert first[0] == 0
    found = json.loads(first[1])
    assert found["text"] == at(site, "quickstart-overview", "INT8", "Decode speed-up").text
    assert found["inputs"][0]["artifacts"][-1]["content"]


def test_the_command_names_what_it_cannot_find(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, capsys, "quickstart-sped", "1", "1")[::2] == (
        2,
        "unknown table 'quickstart-sped'; did you mean 'quickstart-speed'?\n",
    )


def test_a_condition_replaces_that_of_the_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = ("quickstart-speed", "INT8", "Decode (tok/s)")
    same = run(monkeypatch, capsys, *cell)
    assert run(monkeypatch, capsys, *cell, "--where", "sweep=quickstart") == same
    code, _, error = run(monkeypatch, capsys, *cell, "--where", "sweep=another")
    assert (code, "has no results yet" in error) == (2, True)
    assert "unknown column 'swep'; did you mean 'sweep'" in run(monkeypatch, capsys, *cell, "--where", "swep=a")[2]
    assert "--where needs TABLE ROW COLUMN" in run(monkeypatch, capsys, "README.md:26:2", "--where", "batch=1")[2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["README.md"], "is not a cell; write PAGE:LINE:COLUMN"),
        (["README.md:1:1"], "this line is in no table; the page shows quickstart-overview in lines"),
        (["READM.md:1:1"], "unknown page 'READM.md'; did you mean 'README.md'"),
        (["README.md:0:1"], "the page has lines 1 to"),
    ],
)
def test_a_place_that_is_no_cell_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(HarnessError, match=re.escape(message)):
        explanation(words, read_workspace(ROOT))


def test_a_table_is_taken_from_a_database_where_one_is_given(tmp_path: Path, site: Site) -> None:
    with Database.open(tmp_path / "bench.db") as database:
        for outcome in site.source.published.outcomes:
            if outcome.job.labels.sweep == "quickstart":
                database.ingest(outcome, None)
        for session in site.source.published.sessions:
            database.place(session)
    found = explanation(["quickstart-speed", "INT8", "Size on disk (MB)"], read_workspace(ROOT), tmp_path)
    assert found.arithmetic is not None
    assert found.arithmetic.agrees
    with pytest.raises(HarnessError, match="a page shows the published results"):
        explained(["README.md:16:1"], read_workspace(ROOT), tmp_path)
    with pytest.raises(HarnessError, match="has no results yet"):
        explanation(["quickstart-speed", "1", "1"], read_workspace(ROOT), tmp_path / "nothing")


# ---------------------------------------------------------------- numbers in prose


def fastest(site: Site) -> tuple[str, str]:
    """Name the row of the greatest decode speed-up, and its number as the table shows it."""
    shown = site.tables["quickstart-speed"]
    column = named(shown.rendered, "INT8", "Decode speed-up").column
    rows = shown.rendered.table.sections[0].rows
    _, name, text = max((trace.result, row[0].text, row[column].text) for row in rows if (trace := row[column].trace))
    return name, text.split()[0]


@pytest.fixture
def prose(tmp_path: Path, site: Site) -> Workspace:
    """A project whose page has two numbers in its prose, one of them wrong."""
    (tmp_path / "results" / "published").mkdir(parents=True)
    (tmp_path / "results" / "published" / "quickstart.yaml").symlink_to(PUBLISHED / "quickstart.yaml")
    (tmp_path / "text.md").write_text(
        f'up to <!-- value: quickstart-speed max "Decode speed-up" -->{fastest(site)[1]}<!-- /value --> or '
        '<!-- value: quickstart-speed cell "Compression" where Method=INT8 -->9.99x<!-- /value -->\n',
        encoding="utf-8",
    )
    return replace(read_workspace(ROOT), root=tmp_path, results=tmp_path / "results")


def test_a_number_in_prose_is_explained_as_its_cell(prose: Workspace, site: Site) -> None:
    found = explanation(["text.md:1:1"], prose)
    whole = at(site, "quickstart-speed", fastest(site)[0], "Decode speed-up")
    assert found.place == 'text.md:1:1, quickstart-speed max "Decode speed-up"'
    assert replace(found, place="") == whole


def test_a_number_in_prose_that_is_stale_is_refused(prose: Workspace) -> None:
    with pytest.raises(
        HarnessError, match=r"text.md:1: value 'quickstart-speed cell .* is out of date; run `harness report --write`"
    ):
        explanation(["text.md:1:2"], prose)
    with pytest.raises(HarnessError, match="this line has values 1 to 2"):
        explanation(["text.md:1:3"], prose)
