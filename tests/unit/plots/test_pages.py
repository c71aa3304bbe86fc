"""Plots in pages: written beside them, checked like tables, and refused where they cannot be drawn."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from harness.commands.publish import publish_runs
from harness.store.database import Database
from tests.fake_machine import Bench, Say

PLOTS = {
    "speed": {"history": "decode_tps", "where": {"method": "fp32"}},
    "tradeoff": {"quality": "perplexity", "against": "artifact_bytes", "title": "Size and perplexity"},
}


@pytest.fixture
def site(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with published results of two methods, and a page that shows two plots."""
    root = bench.configs.parent
    bench.sweep(method=["fp32", "int8"])
    bench.run()
    with Database.open(bench.results / "bench.db") as database:
        runs = sorted(database.run_names())
    publish_runs(runs, bench.results, bench.results / "published" / "v1.yaml", unverified=True)
    (bench.configs / "tables").mkdir()
    (root / "harness.yaml").write_text('version: 1\npages: ["*.md"]\n', "utf-8")
    spec(root, PLOTS)
    (root / "page.md").write_text(
        "# Page\n\n<!-- plot: speed -->\n<!-- end: speed -->\n\ntext\n\n<!-- plot: tradeoff -->\nold\n<!-- end: tradeoff -->\n",
        "utf-8",
    )
    monkeypatch.chdir(root)
    return root


def spec(root: Path, plots: object) -> None:
    (root / "configs" / "tables" / "s.plots.yaml").write_text(yaml.safe_dump(plots), "utf-8")


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run `harness report` in the workspace that one stands in."""
    import sys

    from harness import cli
    from tests.fake_machine import Said

    def command(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["harness", "report", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Said(int(ended.value.code or 0), out, err)

    return command


def test_plots_are_written_beside_the_page_and_checked_like_tables(site: Path, pages: Say) -> None:
    assert pages("--check").code == 1
    said = pages("--write")
    assert said.code == 0, said.err
    page = (site / "page.md").read_text("utf-8")
    assert "<!-- plot: tradeoff -->\n\n![Size and perplexity](tradeoff.svg)\n\n<!-- end: tradeoff -->" in page
    root = ET.fromstring((site / "tradeoff.svg").read_text("utf-8"))
    words = {"".join(place.itertext()) for place in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"fp32", "int8", "Size and perplexity"} <= words
    assert pages("--check").code == 0
    before = {path.name: path.read_bytes() for path in site.glob("*.svg")}
    assert pages("--write").code == 0
    assert {path.name: path.read_bytes() for path in site.glob("*.svg")} == before


def test_a_drawing_that_was_edited_or_is_gone_is_stale(site: Path, pages: Say) -> None:
    pages("--write")
    (site / "speed.svg").write_text((site / "speed.svg").read_text("utf-8").replace("circle", "square"), "utf-8")
    said = pages("--check")
    assert said.code == 1
    assert "speed.svg: out of date" in said.out
    (site / "speed.svg").unlink()
    assert pages("--check").code == 1
    assert pages("--write").code == 0
    assert pages("--check").code == 0


def test_a_file_that_is_no_plot_of_ours_is_not_written_over(site: Path, pages: Say) -> None:
    (site / "speed.svg").write_text("<svg>mine</svg>", "utf-8")
    said = pages("--write")
    assert said.code == 2
    assert "no plot of ours" in said.err
    assert (site / "speed.svg").read_text("utf-8") == "<svg>mine</svg>"
    (site / "speed.svg").unlink()
    (site / "mine.svg").write_text("<svg>mine</svg>", "utf-8")
    (site / "speed.svg").symlink_to(site / "mine.svg")
    assert pages("--write").code == 2
    assert (site / "mine.svg").read_text("utf-8") == "<svg>mine</svg>"


@pytest.mark.parametrize(
    ("plots", "told"),
    [
        ({"spede": PLOTS["speed"], "tradeoff": PLOTS["tradeoff"]}, "unknown plot 'speed'; did you mean 'spede'?"),
        ({**PLOTS, "speed": {"history": "decode_tp"}}, "did you mean 'decode_tps'?"),
        ({**PLOTS, "speed": {"history": "decode_tps", "where": {"metod": "fp32"}}}, "did you mean 'method'?"),
        ({**PLOTS, "speed": {}}, "says `history: METRIC`, or `quality: METRIC` and `against: METRIC`"),
        ({**PLOTS, "speed": {"quality": "perplexity"}}, "says `history: METRIC`, or"),
        ({**PLOTS, "speed": {"history": "decode_tps", "color": "red"}}, "color"),
        ({**PLOTS, "../x": {"history": "decode_tps"}}, "use letters, digits"),
        (["speed"], "a file of plots"),
    ],
)
def test_mistakes_in_a_plot_are_told_with_their_place_and_nothing_is_written(
    site: Path, pages: Say, plots: object, told: str
) -> None:
    spec(site, plots)
    said = pages("--write")
    assert said.code == 2
    assert told in said.err
    assert not list(site.glob("*.svg"))


def test_a_method_with_several_numbers_is_refused_with_what_to_choose(site: Path, pages: Say, bench: Bench) -> None:
    bench.sweep(
        method=["fp32"],
        probes={"generation": {"batch": [1, 2], "prompt": 8, "output": 4, "warmup": 0, "repetitions": 1}},
    )
    bench.run()
    with Database.open(bench.results / "bench.db") as database:
        runs = sorted(database.run_names())
    publish_runs(runs, bench.results, bench.results / "published" / "v1.yaml", unverified=True)
    spec(site, {**PLOTS, "tradeoff": {"quality": "decode_tps", "against": "artifact_bytes"}})
    said = pages("--write")
    assert said.code == 2
    assert "has several numbers of decode_tps, of" in said.err


def test_a_plot_without_results_says_so(site: Path, pages: Say) -> None:
    spec(site, {**PLOTS, "speed": {"history": "decode_tps", "where": {"method": "nobody"}}})
    assert pages("--write").code == 0
    assert "no results yet" in (site / "speed.svg").read_text("utf-8")


@pytest.mark.parametrize(
    "text",
    ["<!-- plot: speed -->\n", "<!-- plot: speed -->\n<!-- table: x -->\n<!-- end: x -->\n<!-- end: speed -->\n"],
)
def test_markers_of_plots_are_balanced_as_those_of_tables(site: Path, pages: Say, text: str) -> None:
    (site / "page.md").write_text(text, "utf-8")
    said = pages("--write")
    assert said.code == 2
    assert "plot 'speed'" in said.err
