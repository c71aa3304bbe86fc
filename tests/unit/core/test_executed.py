"""What ran, as one line, and what of it a reader must know."""

from __future__ import annotations

import pytest

from harness.core.executed import ELSEWHERE, NOT_REPORTED, OTHERWISE, Executed, executed, executed_notes
from harness.core.marks import MARKS

INT8 = "int8 channel sym x10; head float32; embedding float32"
INT4 = "int4 b128 sym x10; head float32; embedding float32"


def ran(weights: dict[str, int]) -> Executed:
    return executed(weights, ("float32",), "GroupQueryAttention")


def test_a_line_tells_weights_arithmetic_attention_and_nodes_elsewhere() -> None:
    found = executed(
        {"float32 MatMul": 1, "int4 b32 MatMulNBits": 20}, ("float16",), "GroupQueryAttention",
        {"cuda": {"MatMulNBits": 20, "MatMul": 1}, "cpu": {"Gather": 2, "Shape": 1}}, {"cpu": {"Gather": 2}},
    )  # fmt: skip
    assert found.text == (
        "int4 b32 MatMulNBits x20 + float32 MatMul x1; in float16; GroupQueryAttention; 2 of 24 nodes on cpu"
    )
    assert list(found.weights) == ["int4 b32 MatMulNBits", "float32 MatMul"]
    assert Executed.model_validate_json(found.model_dump_json()) == found


def test_what_nobody_reports_is_said_to_be_so() -> None:
    assert executed({}, (), None).text == NOT_REPORTED.text == "not reported"


@pytest.mark.parametrize(("scheme", "weights"), [
    (INT8, {"int8 b32 MatMulNBits": 10, "float32 MatMul": 1}), (INT8, {"int8 MatMulIntegerToFloat": 10, "float32 MatMul": 1}),
    (INT8, {"int8 DequantizeLinear": 10, "float32 MatMul": 1}), (INT4, {"int4 b128 MatMulNBits": 10, "float32 MatMul": 1}),
    ("float32 x10; head float32; embedding float32", {"float32 MatMul": 11}),
    ("int8 channel simulated x10; head float32", {"float32 Linear": 11}), ("nf4 b64 x14; head bfloat16", {"nf4 Linear4bit": 14, "bfloat16 Linear": 1}),
    ("float32 x4; others not read", {"float32 MatMul": 9}), ("fp8 channel sym x14; head bfloat16", {"float8_e4m3fn Fp8Linear": 14, "bfloat16 Linear": 1}),
    ("int4 b32 asym x10 + int4 b32 asym x30; head int8 channel sym", {"int4 b32 MatMulNBits": 10, "int8 b32 MatMulNBits": 1}),
    ("gptq x14; head float16", {"float16 Linear": 1, "packed QuantLinear": 14}), (INT8, {}),
])  # fmt: skip
def test_a_method_that_runs_as_its_files_hold_it_has_no_note(scheme: str, weights: dict[str, int]) -> None:
    assert executed_notes(ran(weights), scheme) == ()


def test_weights_that_became_floats_are_told_with_their_number() -> None:
    (note,) = executed_notes(ran({"float32 MatMul": 11}), INT8)
    assert note.code == OTHERWISE
    assert note.text == (
        "10 of 11 multiplied weight matrices lie in the files as int8 channel sym and run as float32: the runtime made floats of them when it "
        "opened the artifact, so that speed and memory are those of float32 weights"
    )
    (one,) = executed_notes(ran({"float32 MatMul": 2, "int8 b32 MatMulNBits": 9}), INT8)
    assert one.text.startswith("1 of 11 multiplied weight matrices")
    (head,) = executed_notes(
        ran({"int8 b32 MatMulNBits": 10, "float16 MatMul": 1}), "int8 b32 sym x10; head int8 b32 sym"
    )
    assert head.text.startswith("1 of 11 ")


def test_weights_of_another_width_are_told() -> None:
    (note,) = executed_notes(ran({"int8 b32 MatMulNBits": 10, "float32 MatMul": 1}), INT4)
    assert note.code == OTHERWISE
    assert note.text.startswith("weights lie in the files with 4 bits and run with 8")


@pytest.mark.parametrize(("scheme", "weights", "told"), [
    ("int4 b32 sym x16 + int8 b32 sym x4; head float32", {"int4 b32 MatMulNBits": 20, "float32 MatMul": 1},
     "of the multiplied weight matrices 16 have 4 bits and 4 have 8 bits in the files, and 20 have 4 bits as they run: "),
    ("int4 b32 sym x16 + int8 b32 sym x4; head float32", {"int4 b32 MatMulNBits": 18, "int8 b32 MatMulNBits": 2, "float32 MatMul": 1},
     "of the multiplied weight matrices 16 have 4 bits and 4 have 8 bits in the files, and 18 have 4 bits and 2 have 8 bits as they run: "),
    ("int4 b32 sym x16 + int8 b32 sym x3; head int8 b32 sym", {"int4 b32 MatMulNBits": 17, "int8 b32 MatMulNBits": 3},
     "of the multiplied weight matrices 16 have 4 bits and 4 have 8 bits in the files, and 17 have 4 bits and 3 have 8 bits as they run: "),
    ("int4 b32 sym x16 + int8 b32 sym x12; head float32", {"int4 b32 MatMulNBits": 12, "float32 MatMul": 1}, "of the multiplied weight matrices 16 have 4"),
    ("int4 b32 sym x16 + int8 b32 sym x12; head float32", {"int4 b32 MatMulNBits": 16, "int8 b32 MatMulNBits": 2, "float32 MatMul": 1}, "of the multi"),
])  # fmt: skip
def test_matrices_that_changed_their_width_among_those_of_the_files_are_told(
    scheme: str, weights: dict[str, int], told: str
) -> None:
    (note,) = executed_notes(ran(weights), scheme)
    assert note.code == OTHERWISE
    assert note.text.startswith(told)
    assert note.text.endswith("speed and memory are those of other widths")


@pytest.mark.parametrize(("scheme", "weights"), [
    ("int4 b32 sym x16 + int8 b32 sym x12; head float32", {"int4 b32 MatMulNBits": 16, "int8 b32 MatMulNBits": 12, "float32 MatMul": 1}),
    ("int4 b32 sym x16 + int8 b32 sym x12; head float32", {"int4 b32 MatMulNBits": 16, "int8 b32 MatMulNBits": 4, "float32 MatMul": 1}),
    ("int4 b32 sym x16 + int8 b32 sym x12; head float32", {"int4 b32 MatMulNBits": 8, "int8 b32 MatMulNBits": 4, "float32 MatMul": 1}),
    ("int4 b32 sym x28; head int8 b32 sym", {"int4 b32 MatMulNBits": 16, "int8 b32 MatMulNBits": 1}),
    ("int4 b32 sym x16 + int8 b32 sym x4", {"int4 b32 MatMulNBits": 16, "int8 b32 MatMulNBits": 5}),
    ("int4 b32 sym x16 + gptq x4; head float32", {"int4 b32 MatMulNBits": 20, "float32 MatMul": 1}),
])  # fmt: skip
def test_matrices_that_a_runtime_put_together_have_no_note(scheme: str, weights: dict[str, int]) -> None:
    """Query, key and value in one, gate and up in one; a head that is tied runs beside what is held."""
    assert executed_notes(ran(weights), scheme) == ()


def test_a_scheme_that_nobody_knows_gives_no_note() -> None:
    assert executed_notes(ran({"float32 MatMul": 11}), None) == ()


def test_nodes_on_another_provider_are_counted_and_named() -> None:
    found = executed(
        {}, (), None, {"cuda": {"MatMul": 4}, "cpu": {"Gather": 2, "Cos": 1, "Sin": 1, "Pow": 1, "Shape": 9}},
        {"cpu": {"Cos": 1, "Gather": 2, "Pow": 1, "Sin": 1}},
    )  # fmt: skip
    (note,) = executed_notes(found, None)
    assert note.code == ELSEWHERE
    assert note.text == (
        "5 of 18 nodes ran on cpu, which was not asked for (Gather x2, Cos x1, Pow x1 ...): what they take and give is copied "
        "there and back in every pass"
    )


def test_both_notes_mark_a_number_in_tables() -> None:
    assert {OTHERWISE, ELSEWHERE} <= set(MARKS)
