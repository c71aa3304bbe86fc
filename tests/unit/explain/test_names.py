"""Names, blank keys and lines without cells."""

from __future__ import annotations

from harness.explain.cell import explain
from harness.explain.text import as_text
from harness.tables.locate import Beside, Spot
from tests.unit.explain.site import Site, at


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
