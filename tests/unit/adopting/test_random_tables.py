"""Tables made anew from a seed: each is adopted with an exact rendering, or refused with the page untouched."""

from __future__ import annotations

import random

import pytest

from harness.markdown.rows import row_cells
from tests.unit.adopting.conftest import Take
from tests.unit.adopting.test_adopt import MARKERS

HEADINGS = ("Model", "Method", "Quant", "", "GPU", "Batch Size", "Prompt len", "Dataset", "PPL", "Tokens/sec", "TTFT (ms)", "Size (GB)",
            "Δ acc.", "Speedup", "INT4", "FP8 AWQ", "Score ↑", "**Bits**", "MMLU (5-shot)", "Notes", "a\\|b", "`code`", "p99 latency [ms]",
            "metric", "1", "x: y", "- z", "#", "{a}", "[l](https://e.org)", "Throughput<sub>v2</sub>")  # fmt: skip
NAMES = ("FP16", "INT4 AWQ", "**NF4**", "Llama-3.1 8B", "[m](https://example.org/m)", "m (v2)", "m <sup>†</sup>", "`q4_0`", "a\\|b", "x_y_z",
         "Ünïcode 模型", "null", "true", "1.0", "-", "~", "a: b", "*it*", "${HOME}", "'q'", '"q"', "#1", "a, b", "{}", "m  n")  # fmt: skip
ABSENT = ("-", "", "N/A", "OOM", "—", "n/a", "✗", "TBD", "?")
FORMS = ("{v:.2f}", "{v:.0f}", "{v:,.1f}", "{v:.3f} ± 0.012", "{v:.1f}x", "{v:.2f}%", "+{v:.1f}%", "**{v:.2f}**", "{v:.1f} ms", "{v:.2f}GB",
         "{v:.1e}", "{v:.1f} (-0.2)", "{v:.0f}-{v:.0f}", "{v:.2f} <sup>1</sup>", "~{v:.1f}", "−{v:.2f}", "*{v:.1f}*", "{v:.3f} +/- 0.1",
         "<b>{v:.2f}</b>", "0{v:.1f}", "{v:.2f} / {v:.1f}", "{v:.1f} tok/s", "[{v:.1f}](https://example.org)", "{v:.2f}†")  # fmt: skip
RULES = ("---", ":---", "---:", ":---:", "-", ":-:")


def table(seed: int) -> str:
    """Make a table with random headings, names, units, digits and alignments; some of them are no good."""
    dice = random.Random(seed)
    columns, rows = dice.randint(1, 7), dice.randint(1, 6)
    keys = dice.randint(0, 2)
    forms = [dice.sample(FORMS, dice.randint(1, 2)) for _ in range(columns)]
    lines = [[dice.choice(HEADINGS) for _ in range(columns)], [dice.choice(RULES) for _ in range(columns)]]
    for _ in range(rows):
        cells = [dice.choice(NAMES) for _ in range(min(keys, columns))]
        for at in range(len(cells), columns):
            value = dice.uniform(0.01, 5000)
            cells.append(dice.choice(ABSENT) if dice.random() < 0.15 else dice.choice(forms[at]).format(v=value))
        lines.append(cells[: columns - (dice.random() < 0.03)])
    pad = dice.choice((0, 0, 24))
    return "\n".join(f"| {' | '.join(cell.ljust(pad) for cell in line)} |" for line in lines) + "\n"


def carried(take: Take, seed: int) -> bool:
    """Adopt a table, and hold what is to be written against it."""
    text = f"# Page\n\n{table(seed)}\nEnd.\n"
    try:
        done = take(text, table=1)
    except Exception as error:
        raise AssertionError(f"seed {seed}: {error!r}\n{text}") from error
    if done.made is None:
        assert done.text == "", seed
        assert all(one.why for one in done.refused), seed
        return False
    assert MARKERS.sub(b"", done.text.encode()).decode() == text, seed
    return True


def test_random_tables_are_carried_to_the_byte_or_left_alone(take: Take) -> None:
    found = [carried(take, seed) for seed in range(10)]
    assert 2 < sum(found) < 10


@pytest.mark.slow
def test_many_random_tables_are_carried_to_the_byte_or_left_alone(take: Take) -> None:
    found = [carried(take, seed) for seed in range(100, 200)]
    assert 25 < sum(found) < 98


def test_the_tables_of_this_test_are_tables() -> None:
    assert len({table(seed) for seed in range(25)}) == 25
    assert all(len(row_cells(table(seed).split("\n")[1])) >= 1 for seed in range(25))
