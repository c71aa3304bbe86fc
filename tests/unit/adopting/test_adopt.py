"""`harness adopt`: the tables of a page become data, and the page stays as it is but for its markers."""

from __future__ import annotations

import io
import re
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from harness.adopting.adopt import WantedTables
from harness.commands.adopt import adopt_page
from harness.commands.pages import check_pages
from harness.commands.workspace import Workspace
from harness.core.errors import HarnessError
from harness.published.reported import read_reported
from tests.unit.adopting import shapes
from tests.unit.adopting.conftest import Take, files_of

MARKERS = re.compile(rb"<!-- table: \S+ -->\r?\n\r?\n|\r?\n\r?\n<!-- end: \S+ -->")
SMALL = """\
# Bench

| Method | Batch | Decode (tok/s) | Note |
|:-------|------:|---------------:|------|
| FP16   |     1 | 25.66 ± 0.10   | eager, [log](https://example.org/log) |
| **NF4** |    1 |  16.45         | -    |
"""


def quiet() -> Console:
    return Console(file=io.StringIO(), soft_wrap=True)


def test_every_shape_is_carried_and_the_page_gains_nothing_but_markers(theirs: Workspace) -> None:
    page = theirs.root / "bench.md"
    text = "# Tables\n\n" + "\n".join(f"## {name}\n\n{table}" for name, table in shapes.ALL.items())
    page.write_text(text, "utf-8")
    said = list(adopt_page(page, theirs, WantedTables()))
    assert [line for line in said if "not adopted" in line] == []
    assert sum(": adopted as 'bench-" in line for line in said) == len(shapes.ALL) == 12
    assert MARKERS.sub(b"", page.read_bytes()).decode() == text
    assert check_pages(quiet(), theirs) == 0


@pytest.mark.parametrize(
    ("heading", "metric"),
    [
        ("Input throughput (tok/s)", "prefill_tps"), ("Input Tput (tok/s)", "prefill_tps"), ("Output throughput (tok/s)", "output_tps"),
        ("Throughput (tok/s)", "decode_tps"), ("PPL", "perplexity"), ("PPL loss", "own.ppl_loss"),
    ],
)  # fmt: skip
def test_a_heading_is_taken_for_what_its_words_say(take: Take, heading: str, metric: str) -> None:
    made = take(f"| Method | {heading} |\n|---|---|\n| FP16 | 12.5 |\n").made
    assert made is not None
    assert metric in made.published


def test_a_page_called_as_a_shipped_file_of_tables_keeps_its_name(theirs: Workspace) -> None:
    page = theirs.root / "README.md"
    page.write_text(SMALL, "utf-8")
    said = "\n".join(adopt_page(page, theirs, WantedTables()))
    assert "adopted as 'readme'" in said
    assert (theirs.tables[-1] / "readme.tables.yaml").is_file()
    assert check_pages(quiet(), theirs) == 0


def test_the_files_say_what_was_printed_and_are_named_to_the_person(theirs: Workspace) -> None:
    page = theirs.root / "bench.md"
    page.write_text(SMALL, "utf-8")
    said = list(adopt_page(page, theirs, WantedTables()))
    assert [line.split(":")[0] for line in said if line.startswith("wrote ")] == [
        "wrote results/published/bench.reported.yaml",
        "wrote configs/tables/bench.tables.yaml",
        "wrote bench.md",
    ]
    first, second = read_reported(theirs.own_published / "bench.reported.yaml")
    assert (first.job.labels.method, second.job.labels.method) == ("fp16", "nf4")
    assert first.printed == {"decode_tps": "25.66 ± 0.10", "note_4": "eager, [log](https://example.org/log)"}
    number = first.measurements[0]
    assert (number.value, number.unit, number.low, number.interval) == (
        25.66,
        "tok/s",
        25.56,
        "plus-minus as published",
    )
    assert first.origin == "reported"
    assert first.citation is not None
    assert first.citation.title == "bench.md"
    assert str(theirs.root) not in "".join(
        content.decode() for name, content in files_of(theirs.root).items() if name.endswith(".yaml")
    )


def test_metrics_and_methods_of_their_own_are_declared_in_the_published_file(take: Take) -> None:
    text = "| Quant | Score ↑ | Chat latency (ms) |\n|---|---|---|\n| Their 3-bit | 61.5 | 12.5 |\n"
    made = take(text).made
    assert made is not None
    assert 'own.score: {title: "Score ↑", better: higher}' in made.published
    assert 'own.chat_latency: {title: "Chat latency (ms)", unit: ms, better: lower}' in made.published
    assert 'their_3_bit: {title: "Their 3-bit"}' in made.published


def test_a_person_says_what_a_column_is(take: Take) -> None:
    text = "| Method | Throughput |\n|---|---|\n| FP16 | 25.6 |\n"
    assert "own.throughput" in str(take(text).made)
    made = take(text, columns={"Throughput": "decode_tps"}).made
    assert made is not None
    assert "columns: [method, decode_tps]" in made.published
    with pytest.raises(
        HarnessError, match="--column 'Thruput=decode_tps': unknown column 'Thruput'; did you mean 'Throughput'"
    ):
        take(text, columns={"Thruput": "decode_tps"})
    (refused,) = take(text, columns={"Throughput": "decode"}).refused
    assert "unknown dimension or metric 'decode'" in refused.why


def test_one_table_of_several_is_adopted_by_its_number_and_the_others_later(theirs: Workspace) -> None:
    page = theirs.root / "bench.md"
    page.write_text(f"{SMALL}\n## More\n\n{shapes.SGLANG}", "utf-8")
    list(adopt_page(page, theirs, WantedTables(table=2)))
    assert "<!-- table: bench-2 -->" in page.read_text("utf-8")
    said = list(adopt_page(page, theirs, WantedTables()))
    assert any("table 2, " in line and "stands between the markers of table 'bench-2' already" in line for line in said)
    assert check_pages(quiet(), theirs) == 0


def test_a_dry_run_writes_nothing(theirs: Workspace) -> None:
    page = theirs.root / "bench.md"
    page.write_text(SMALL, "utf-8")
    before = files_of(theirs.root)
    said = list(adopt_page(page, theirs, WantedTables(), dry=True))
    assert sum(line.startswith("would write ") for line in said) == 3
    assert files_of(theirs.root) == before


@pytest.mark.parametrize("ends", ["\r\n", "\n"])
def test_line_ends_and_a_last_line_without_one_stay(take: Take, ends: str) -> None:
    text = SMALL.rstrip("\n").replace("\n", ends)
    done = take(text)
    assert MARKERS.sub(b"", done.text.encode()).decode() == text
    assert ("\r" in done.text) == (ends == "\r\n")
    assert done.text.count(ends) == done.text.count("\n")


def test_a_byte_order_mark_stays_the_first_thing_in_the_page(take: Take) -> None:
    text = "\ufeff" + SMALL.removeprefix("# Bench\n\n")
    done = take(text)
    assert done.text.startswith("\ufeff<!-- table: page -->")
    assert MARKERS.sub(b"", done.text.encode()).decode() == text


def test_a_page_outside_of_the_workspace_or_not_there_is_refused(theirs: Workspace, tmp_path: Path) -> None:
    outside = tmp_path / "outside.md"
    outside.write_text(SMALL, "utf-8")
    with pytest.raises(HarnessError, match="lies outside of the workspace"):
        list(adopt_page(outside, theirs, WantedTables()))
    (theirs.root / "docs").mkdir()
    with pytest.raises(HarnessError, match="docs is no page: it is a folder; name a file in it"):
        list(adopt_page(theirs.root / "docs", theirs, WantedTables()))
    with pytest.raises(HarnessError, match="there is no such file"):
        list(adopt_page(theirs.root / "none.md", theirs, WantedTables()))


def test_the_command_says_what_it_wrote_and_cells_explain_themselves(
    theirs: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness import cli

    def say(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["harness", "--workspace", str(theirs.root), *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out + err

    page = theirs.root / "bench.md"
    page.write_text(SMALL.replace("16.45", "OOM"), "utf-8")
    code, said = say("adopt", str(page), "--column", "Note=text", "--name", "mine")
    assert code == 0
    assert "wrote configs/tables/mine.tables.yaml" in said
    monkeypatch.chdir(theirs.root)
    assert "Words that others published, kept as 'note_4'" in say("explain", "bench.md:7:4")[1]
    assert "25.66 tok/s" in say("explain", "bench.md:7:3")[1]
    assert "What others published in the place of a number: decode" in say("explain", "bench.md:8:3")[1]
    code, said = say("adopt", str(page))
    assert code == 2
    assert "stands between the markers of table 'mine' already; nothing was changed" in said


def test_an_engine_is_known_by_its_name_here_and_one_that_is_nearly_called_so_is_another(take: Take) -> None:
    made = take(
        "| Method | Backend | PPL |\n|---|---|---|\n| a | Transformers | 5.4 |\n| b | transformer | 5.5 |\n| c | vLLM | 5.6 |\n"
    ).made
    assert made is not None
    assert "- [a, transformers, 5.4]" in made.published
    assert '- [b, "transformer (published)", 5.5]' in made.published
    assert "- [c, vLLM, 5.6]" in made.published


@pytest.mark.parametrize("name", ["../x", "a/b", "x y", "-"])
def test_a_name_that_is_no_name_of_a_file_is_refused(take: Take, name: str) -> None:
    with pytest.raises(HarnessError, match="a name has letters, digits, _ and - alone"):
        take(SMALL, name=name)


def test_a_person_says_under_which_name_a_text_of_the_page_is_data(take: Take) -> None:
    text = "| Model | FP16-MB | Pure INT4 AWQ-MO |\n|---|---|---|\n| *Llama*, 8B | 5.4 | 5.6 |\n"
    said = {"FP16-MB": "fp16", "Pure INT4 AWQ-MO": "int4_awq", "Llama, 8B": "llama31-8b"}
    made = take(f"## Perplexity\n\n{text}", called=said).made
    assert made is not None
    assert "- [llama31-8b, fp16, 5.4]\n      - [llama31-8b, int4_awq, 5.6]" in made.published
    assert 'llama31-8b: "*Llama*, 8B"' in made.spec
    assert "where: {method: int4_awq}" in made.spec
    with pytest.raises(HarnessError, match="--called INT9: nothing is called so"):
        take(text, called={"INT9": "fp16"})


def test_metrics_of_one_heading_in_other_units_are_two_metrics(take: Take) -> None:
    text = "| Method | Mean lag (ms) |\n|---|---|\n| a | 12.5 |\n\n## Two\n\n| Method | Mean lag (s) |\n|---|---|\n| a | 1.5 |\n"
    made = take(text).made
    assert made is not None
    assert 'own.mean_lag: {title: "Mean lag (ms)", unit: ms, better: lower}' in made.published
    assert 'own.mean_lag_2: {title: "Mean lag (s)", unit: s, better: lower}' in made.published
    assert "metric: own.mean_lag_2, " in made.spec


def test_a_page_called_as_a_sweep_of_the_workspace_or_a_shipped_one_gets_another_name(theirs: Workspace) -> None:
    sweep = theirs.configs[-1] / "sweeps" / "first.yaml"
    sweep.parent.mkdir(parents=True)
    sweep.write_text("model: reference\n", "utf-8")
    for name in ("first", "smollm2"):
        (theirs.root / f"{name}.md").write_text(SMALL, "utf-8")
        said = "\n".join(adopt_page(theirs.root / f"{name}.md", theirs, WantedTables(), dry=True))
        assert f"adopted as '{name}_2'" in said
        assert f"a sweep called '{name}_2'" in said


def test_numbers_that_are_links_are_numbers(take: Take) -> None:
    cells = [
        "[5.4](https://e.org/a_(b))",
        '[5.4](https://e.org "of (a) run")',
        "[5.4][run]",
        "**[5.4](u)**",
        "[**5.4**](<u v>)",
        "[5.4](u)[^1]",
    ]
    tables = take("\n".join(f"| Method | PPL |\n|---|---|\n| FP16 | {cell} |\n" for cell in cells)).tables
    columns = [one.understood.columns[1] for one in tables]
    assert [(one.metric, one.numbers[0].value) for one in columns] == [("perplexity", Decimal("5.4"))] * len(cells)


def test_names_are_without_addresses_and_footnotes(take: Take) -> None:
    names = {
        "[Llama 3 8B](https://x.org/a_(b))": ("llama_3_8b", "Llama 3 8B"),
        "Falcon[^1]": ("falcon", "Falcon"),
        "[Phi `mini`][phi]": ("phi_mini", "Phi mini"),
        "MPT <sup>1,2</sup>": ("mpt", "MPT"),
    }
    rows = "".join(f"| {raw} | 5.4 |\n" for raw in names)
    made = take(f"| Model | PPL |\n|---|---|\n{rows}").made
    assert made is not None
    assert {name: told["title"] for name, told in yaml.safe_load(made.published)["models"].items()} == dict(
        names.values()
    )


def test_a_second_page_with_the_models_and_metrics_of_the_first_is_carried(theirs: Workspace) -> None:
    first, second = theirs.root / "first.md", theirs.root / "second.md"
    first.write_text("| Model | Energy (J) |\n|---|---|\n| Llama-2-7B | 5.5 |\n", "utf-8")
    second.write_text(
        "| Model | PPL |\n|---|---|\n| Llama-2-7B | 5.47 |\n\n# More\n\n"
        "| | FP32 | INT8 | Δ |\n|---|---|---|---|\n| Latency, ms | 9.1 | 3.2 | -5.9 |\n| Energy (J/img) | 0.9 | 0.3 | -0.6 |\n", "utf-8",
    )  # fmt: skip
    for page in (first, second):
        assert [line for line in adopt_page(page, theirs, WantedTables()) if "not adopted" in line] == []
    assert "own.energy_2" in (theirs.own_published / "second.reported.yaml").read_text("utf-8")
    assert check_pages(quiet(), theirs) == 0
