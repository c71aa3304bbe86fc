"""What `trtllm-bench` prints: fields in our units, the last overview of a log, and what is cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.core.errors import ConfigError
from harness.formats.records import FileContents
from harness.formats.source import FileSource
from harness.formats.trtllm_printed import read, recognizes

LINE = "=" * 59
OVERVIEW = f"""{LINE}
= ENGINE DETAILS
{LINE}
Model:\t\t\tmeta-llama/Llama-3.1-8B
Engine Directory:\t/tmp/engine
TensorRT-LLM Version:\t0.15.0
Dtype:\t\t\tbfloat16
KV Cache Dtype:\t\tFP8
Quantization:\t\tFP8
Max Sequence Length:\t2048

{LINE}
= WORLD + RUNTIME INFORMATION
{LINE}
TP Size:\t\t2
PP Size:\t\t3
Max Runtime Batch Size:\t2048
Scheduling Policy:\tGuaranteed No Evict
KV Memory Percentage:\t57.00%
Issue Rate (req/sec):\t5.5E+13

{LINE}
= PERFORMANCE OVERVIEW
{LINE}
Number of requests:\t\t3000
Average Input Length (tokens):\t128.0000
Average Output Length (tokens):\t127.5000
Token Throughput (tokens/sec):\t1000.5
Request Throughput (req/sec):\t7.25
Total Latency (ms):\t\t2500.0
"""


def contents(text: str) -> FileContents:
    return read(FileSource(Path("printed.log"), text.encode()))


def numbers(text: str) -> dict[str, float]:
    (run,) = contents(text).runs
    return {one.metric: one.value for one in run.numbers}


def test_lines_become_numbers_in_our_units() -> None:
    found = contents(OVERVIEW)
    (run,) = found.runs
    assert {one.metric: one.value for one in run.numbers} == {"request_throughput": 7.25, "output_tps": 1000.5}
    assert (run.seconds, run.workload) == (2.5, {"prompt": 128, "output": 127.5})
    assert (run.protocol.gpu_count, run.version, run.protocol.dtype) == (2 * 3, "TensorRT-LLM 0.15.0", "bfloat16")
    assert {one.n for one in run.numbers} == {3000}
    assert run.protocol.facts["world_info.kv_cache_percentage"] == 0.57, "57 %, and no 0.5700000000000001"
    assert run.protocol.facts["world_info.scheduling_policy"] == "Guaranteed No Evict"
    assert dict(run.labels) == {"model": "meta-llama/Llama-3.1-8B", "method": "FP8"}
    assert found.left == ()


@pytest.mark.parametrize(("printed", "metric", "value"), [
    ("Average time-to-first-token [TTFT] (ms):  250.0", "ttft", 0.25),
    ("Average inter-token latency (ms):\t4.0", "tpot", 0.004),
    ("Average request latency (ms):\t1500", "e2e_latency", 1.5),
    ("Per User Output Throughput [w/ ctx] (tps/user):\t12.5", "user_tps", 12.5),
    ("Total Token Throughput (tokens/sec):\t99", "total_tps", 99.0),
    ("Total Energy (J):\t40.5", "energy", 40.5),
    ("Average GPU Power (W):\t350", "gpu_power", 350.0),
    ("Output Tokens per Second per Watt (tps/W):\t2.5", "tokens_per_joule", 2.5),
])  # fmt: skip
def test_lines_of_other_versions_are_known(printed: str, metric: str, value: float) -> None:
    assert numbers(f"{OVERVIEW}{printed}\n")[metric] == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("word", ["None", "N/A"])
def test_what_is_not_there_is_left_out(word: str) -> None:
    (run,) = contents(OVERVIEW.replace("Quantization:\t\tFP8", f"Quantization:\t\t{word}")).runs
    assert run.labels["method"] == "bfloat16"
    assert "quantization" not in run.protocol.facts


@pytest.mark.parametrize("heading", ["= ENGINE DETAILS", "= PYTORCH BACKEND"])
def test_the_last_overview_of_a_log_counts_whole(heading: str) -> None:
    last = OVERVIEW.replace("= ENGINE DETAILS", heading).replace("1000.5", "2000").replace("PP Size:\t\t3\n", "")
    (run,) = contents(OVERVIEW + last).runs
    assert {one.metric: one.value for one in run.numbers}["output_tps"] == 2000.0
    assert run.protocol.gpu_count is None, "nothing of the first one is taken over"


def test_a_text_with_the_line_ends_of_windows_says_the_same() -> None:
    assert contents(OVERVIEW.replace("\n", "\r\n")) == contents(OVERVIEW)


def test_a_line_of_a_log_without_a_colon_swallows_no_line_below_it() -> None:
    assert contents(OVERVIEW.replace("TP Size", "Loading weights\nTP Size")) == contents(OVERVIEW)


@pytest.mark.parametrize("line", ["TP Size", "Max Runtime Batch Size", "Request Throughput (req/sec)"])
def test_what_was_cut_off_is_refused_by_the_line_that_it_lacks(line: str) -> None:
    cut = "".join(one for one in OVERVIEW.splitlines(keepends=True) if not one.startswith(line))
    with pytest.raises(ConfigError) as caught:
        contents(cut)
    assert str(caught.value).startswith(f"printed.log: lacks the line '{line}'; fetch or write it again")


def test_a_word_in_the_place_of_a_number_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'performance\.request_throughput_req_s' is fast, which is not a number"):
        contents(OVERVIEW.replace("7.25", "fast"))


def test_it_is_told_by_both_headings() -> None:
    def known(text: str) -> bool:
        return recognizes(FileSource(Path("printed.log"), text.encode()))

    assert known(OVERVIEW)
    assert not known(OVERVIEW.replace("= PERFORMANCE", "PERFORMANCE"))
    assert not known(OVERVIEW.replace("= WORLD", "= WORD"))
