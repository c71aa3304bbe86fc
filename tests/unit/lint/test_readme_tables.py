"""Tables as the READMEs of quantizers and engines have them: correct ones, and each with one wrong cell."""

from __future__ import annotations

import pytest

from tests.unit.lint.linting import found, places, table

TWO = ("Model/FP16 acc/INT4 acc/Drop", "A/68.0/66.0/2.00", "B/70.0/69.0/1.00", "C/60.0/58.0/2.00")
RELATIVE = (
    "Model/FP16 acc/INT4 acc/Relative loss",
    "A/68.0/66.0/2.94%",
    "B/70.0/69.0/1.43%",
    "C/60.0/58.0/3.33%",
)
LOSSES = (
    "FP16 MMLU/INT4 MMLU/Degradation",
    "FP16 acc (%)/INT4 acc (%)/Loss (%)",
    "FP16 acc/INT4 acc/Loss",
    "FP16 acc/INT4 acc/Relative loss",
    "FP16/INT4/Accuracy loss",
    "FP16/INT4/Δ",
)
DPPL = ("Quant/wiki PPL/C4 PPL/ΔPPL", "FP16/5.47/6.97/0.00", "Q4/5.69/7.22/0.22", "Q3/6.00/7.99/0.53")
VERSUS = ("Method/Latency (ms)/vs FP16/Memory (GB)/vs FP16", "FP16/20.0/1.00x/13.5/1.00x", "AWQ/10.0/2.00x/4.5/3.00x")
SPEEDS = ("Platform/Threads/IQ4_NL/IQ4_NL_X4/Speedup", "ARM/8/85.11/110.32/1.296", "Zen4/16/168.21/262.69/1.562")
SAVED = ("Model/FP16 VRAM (GB)/INT4 VRAM (GB)/Saving", "7B/13.5/4.1/9.4", "13B/26.0/7.9/18.1", "34B/68.0/19.8/48.2")
RECOVERY = ("Method/MMLU/GSM8K/Average/Recovery", "BF16/70.0/80.0/75.0/100.0%", "FP8/69.8/79.8/74.8/99.7%")
PPL = ("Quant/PPL/PPL increase (%)", "F16/5.00/0.0", "Q6/5.02/0.4", "Q4/5.10/2.0")
SPARSE = ("Sparsity/Accuracy/Accuracy loss (%)/Speedup", "0%/76.1/0.0/1.00x", "50%/75.8/0.4/1.50x")
KV = ("KV cache/Tok per second/Δ PPL/Speedup", "FP16/2000/0.00/1.00x", "FP8/3100/0.01/1.55x", "INT4/4200/0.09/2.10x")
CONTEXTS = ("Context/FP16 tok per second/INT4 tok per second/Speedup", "1024/40.0/80.0/2.00x", "4096/36.0/68.4/1.90x")
NAMED = ("Engine/TTFT (ms)/Tok per second/Speedup over HF", "HF/120/25.0/1.0x", "X/40/100.0/4.0x", "Y/30/125.0/5.0x")
CHANGE = ("Test/master (t per second)/PR (t per second)/Change", "pp512/5000/5500/10.0%", "tg128/150/153/2.0%")


@pytest.mark.parametrize(
    "text",
    [
        table(*DPPL),
        table(*DPPL).replace("| 0.00 ", "| - "),
        table(*TWO),
        table(*TWO).replace(".00 |\n", ".0 |\n"),
        table(*TWO).replace("| 2.00", "| -2.00").replace("| 1.00", "| -1.00"),
        table(*RELATIVE),
        table("Quant/Latency (ms)/Latency diff", "FP16/239/-", "INT8/282/43 ms", "INT4/200/-39 ms"),
        table(*VERSUS, "INT8/16.0/1.25x/7.5/1.80x"),
        table(*SPEEDS, "AVX2/32/186.81/231.45/1.240"),
        table(*SPEEDS).replace("IQ4_NL |", "PP-512 (main) |").replace("IQ4_NL_X4", "PP-512 (PR)"),
        table(*SAVED),
        table(*RECOVERY, "INT4/68.6/77.4/73.0/97.3%"),
        table(*PPL, "Q3/5.25/5.0"),
        table(*SPARSE),
        table(*KV),
        table(*CONTEXTS),
        table(*NAMED),
        table(*CHANGE),
        table("Method/MMLU/GSM8K/Δ", "BF16/68.0/80.0/0.0", "FP8/67.5/79.0/-0.8", "INT4/66.0/76.0/-3.0"),
        table("Engine/Input tok per second/Output tok per second/Speedup", "A/1000/100/1.00x", "B/1500/170/1.60x"),
        table("Epoch/Train acc/Val acc/Loss", "1/50.1/49.0/1.82", "2/60.3/58.2/1.41", "3/68.9/63.0/1.02"),
        table("Model/FVD: PTQ vs BF16 ↓/RMS Δp", "A/4.25/1.1%", "B/5.62/2.2%"),
    ],
)
def test_a_correct_table_has_no_finding(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize("header", LOSSES)
def test_a_wrong_loss_among_right_ones_is_the_only_finding(header: str) -> None:
    *_, name = header.split("/")
    assert places(table(f"Model/{header}", *TWO[1:], "D/50.0/49.0/3.00")) == [("derived-value", 4, name)]


@pytest.mark.parametrize(
    "lines",
    [
        (*RELATIVE, "D/50.0/49.0/3.00%"),
        (*[line.replace("2.94%", "0.0294").replace("1.43%", "0.0143").replace("3.33%", "0.0333") for line in RELATIVE],
         "D/50.0/49.0/0.0300"),
        (*DPPL, "Q2/6.50/8.90/1.30"),
        (*VERSUS, "INT8/16.0/1.25x/7.5/1.50x"),
        (*SPEEDS, "AVX2/32/186.81/231.45/1.340"),
        (*SAVED, "70B/140.0/39.8/110.2"),
        (*RECOVERY, "NF4/67.9/76.1/72.0/96.0%", "INT4/68.6/77.4/73.0/98.3%"),
        (*PPL, "Q3/5.25/6.0"),
        (*CONTEXTS, "16384/25.0/37.5/1.60x"),
        (*NAMED, "Z/35/110.0/4.8x"),
        (*CHANGE, "pp2048/4800/5040/8.0%"),
    ],
)  # fmt: skip
def test_a_wrong_last_row_is_the_only_finding(lines: tuple[str, ...]) -> None:
    column = lines[0].split("/")[-1]
    assert places(table(*lines)) == [("derived-value", len(lines) - 1, column)]


@pytest.mark.parametrize(
    "header",
    [
        "Prefill (tok per second)/Decode (tok per second)/Speedup",
        "TTFT (ms)/TPOT (ms)/Speedup",
        "Model size (GB)/Peak memory (GB)/Saving",
        "BS1 tok per second/BS8 tok per second/Speedup",
    ],
)
def test_rows_are_not_blamed_where_no_columns_explain_them(header: str) -> None:
    text = table(f"Model/{header}", "A/1000/500/1.20x", "B/900/400/1.30x", "C/800/300/1.10x")
    assert [(rule, row) for rule, row, _ in places(text)] == [("baseline-missing", None)]


def test_two_phases_are_not_divided_even_where_that_fits() -> None:
    lines = ("Model/TTFT (ms)/TPOT (ms)/Speedup", "A/20/10/2.00x", "B/30/10/3.00x", "C/40/20/2.20x")
    assert [rule for rule, _, _ in places(table(*lines))] == ["baseline-missing"]


def test_a_loss_with_its_unit_in_the_header_is_not_written_as_per_cent() -> None:
    text = table(*TWO).replace("acc", "acc (%)").replace("Drop", "Accuracy drop (%)")
    assert found(text) == []
    assert {rule for rule, _, _ in places(text.replace(".00 |", ".00% |"))} == {"points-as-percent"}
