"""Every cell of every page explains itself, and what it says is true."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from statistics import fmean

import pytest

from harness.core.marks import PACED
from harness.core.outcome import Scheme
from harness.explain.archive import Archive
from harness.explain.arithmetic import arithmetic
from harness.explain.cell import Explanation, Shown, explain
from harness.explain.provenance import measurement_of
from harness.explain.text import as_text
from harness.numbers.sample_statistics import statistic_of
from harness.tables.compare import COMPARISONS, Operand
from harness.tables.formats import NumberFormat, decimal, factor, rounded, written
from harness.tables.locate import Spot, named
from harness.tables.markdown import cell_text
from harness.tables.result import Cell, CellTrace, Side
from tests.unit.explain.site import Site, at, cells_of

HASH = re.compile(r"[0-9a-f]{64}")


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
