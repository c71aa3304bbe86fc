"""Two greedy tokens: prompt, switches, counting."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest

from harness.core.errors import ConfigError, HarnessError
from harness.core.seam import Context
from harness.probes import pandas_csv
from harness.probes.mmlu_modelopt import PROBE, Workload, measure, prompt
from harness.questions import Question, read_subject, subjects
from tests.unit.probes.table_scores import BOS, ByteCodec, TableScores

DEV = "".join(f"Example {number}?,a,b,c,d,{'ABCD'[number % 4]}\n" for number in range(5))


class Answers(TableScores):
    """Always says the same two tokens; remembers what it was asked."""

    def __init__(self, said: str, **options: Any) -> None:
        super().__init__(**options)
        self.said = said
        self.prompts: list[list[int]] = []

    def greedy(self, prompt: Sequence[int], tokens: int, never: Sequence[int] = ()) -> list[int]:
        self.prompts.append(list(prompt))
        return list(self.said.encode())[:tokens]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = {"birds": ["Q1?,1,2,3,4,A", "Q2?,None,2,3,4,B", "Q3?,1,2,3,4,A"], "old_stars": ["Q4?,1,2,3,4,A"]}
    for subject, lines in rows.items():
        for split, content in (("dev", DEV), ("test", "\n".join(lines) + "\n")):
            (tmp_path / split).mkdir(exist_ok=True)
            (tmp_path / split / f"{subject}_{split}.csv").write_text(content)
    return tmp_path


def test_the_prompt_is_the_published_one() -> None:
    example = Question(" Raw? ", ("a", "b", "c", "d"), "C", 1)
    asked = Question("Which?", ("None", "2", "3", "4"), "A", 1)
    assert prompt("old_stars", [example], asked) == (
        "The following are multiple choice questions (with answers) about  old stars.\n\n"
        " Raw? \nA. a\nB. b\nC. c\nD. d\nAnswer: C\n\n"
        "Which?\nA. None\nB. 2\nC. 3\nD. 4\nAnswer:"
    )


def test_accuracy_is_a_micro_average_of_stripped_beginnings(folder: Path, tmp_path: Path) -> None:
    session = Answers(" A")
    found = measure(session, Workload(questions=str(folder)), Context(folder=tmp_path))
    values = {reading.slice: (reading.value, reading.samples.tolist()) for reading in found.values}
    assert values == {
        "": (0.75, [1, 0, 1, 1]),
        "subject:birds": (2 / 3, [1, 0, 1]),
        "subject:old_stars": (1.0, [1]),
    }
    assert [reading.interval for reading in found.values] == ["wilson 95%, stratified", "wilson 95%", "wilson 95%"]
    assert found.protocol.scored == 4
    assert found.protocol.name == "mmlu-modelopt-0.27-5shot"
    assert found.protocol.limit is None
    assert measure(Answers("\nB"), Workload(questions=str(folder)), Context(folder=tmp_path)).values[0].value == 0.25


def test_bos_follows_the_tokenizer_unless_told(folder: Path, tmp_path: Path) -> None:
    session = Answers(" A", codec=ByteCodec(adds_bos=True))
    found = measure(session, Workload(questions=str(folder)), Context(folder=tmp_path))
    assert (session.prompts[0][0], found.protocol.bos) == (BOS, True)
    told = Answers(" A", codec=ByteCodec(adds_bos=True))
    found = measure(told, Workload(questions=str(folder), bos=False), Context(folder=tmp_path))
    assert (told.prompts[0][0], found.protocol.bos) == (ord("T"), False)


def test_too_long_questions_are_skipped_or_lose_shots_and_counted(folder: Path, tmp_path: Path) -> None:
    context = Context(folder=tmp_path)
    whole = len(Answers("A").codec.encode(prompt("birds", read_subject(folder, "birds", "dev"), Question("Q1?", ("1", "2", "3", "4"), "A", 1))))  # fmt: skip
    room = whole + 2
    skipped = measure(Answers("A"), Workload(questions=str(folder), max_seq_length=room), context)
    assert (skipped.protocol.scored, skipped.protocol.skipped, skipped.protocol.truncated) == (2, 2, 0)
    assert [reading.slice for reading in skipped.values] == ["", "subject:birds"]
    workload = Workload(questions=str(folder), max_seq_length=room, too_long="drop_shots")
    dropped = measure(Answers("A"), workload, context)
    assert (dropped.protocol.scored, dropped.protocol.skipped, dropped.protocol.truncated) == (4, 0, 2)
    assert dropped.protocol.name == "mmlu-modelopt-0.27-5shot-drop-shots"
    with pytest.raises(HarnessError, match="none of the 4 questions fits 20 tokens; give fewer shots"):
        measure(Answers("A"), Workload(questions=str(folder), max_seq_length=20), context)


def test_a_limit_is_recorded_where_it_cuts(folder: Path, tmp_path: Path) -> None:
    found = measure(Answers("A"), Workload(questions=str(folder), limit=2), Context(folder=tmp_path))
    assert (found.protocol.scored, found.protocol.limit) == (3, 2)


def test_more_shots_than_examples_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="birds has 5 dev questions, fewer than 6 shots"):
        measure(Answers("A"), Workload(questions=str(folder), shots=6), Context(folder=tmp_path))


def test_a_row_with_a_missing_column_stops_the_job_with_its_place(folder: Path, tmp_path: Path) -> None:
    (folder / "test" / "birds_test.csv").write_text("Q1?,1,2,3,A\n")
    with pytest.raises(ConfigError, match=r"birds_test\.csv:1: this row has 5 columns"):
        measure(Answers("A"), Workload(questions=str(folder)), Context(folder=tmp_path))


def test_none_is_text_unless_pandas_is_imitated(folder: Path, tmp_path: Path) -> None:
    switches: list[tuple[Literal["clean", "pandas"], str]] = [("clean", "A. None\n"), ("pandas", "A. nan\n")]
    for csv_na, written in switches:
        session = Answers("A")
        found = measure(session, Workload(questions=str(folder), csv_na=csv_na), Context(folder=tmp_path))
        assert any(written in session.codec.decode(asked) for asked in session.prompts)
        assert ("pandas-na" in found.protocol.name) == (csv_na == "pandas")


def test_the_synthetic_questions_are_never_called_mmlu_alone(tmp_path: Path) -> None:
    from harness import reference

    if not reference.questions_folder().is_dir():
        pytest.skip("the reference questions are not made yet")
    found = measure(Answers("A"), Workload(limit=1), Context(folder=tmp_path))
    assert found.protocol.name.endswith(" on reference")
    assert len(found.values) == 1 + len(subjects(reference.questions_folder()))
    assert PROBE.contents(Workload())


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        (["1", "2", "007"], ["1", "2", "7"]),
        (["1", "", "3"], ["1.0", "nan", "3.0"]),
        (["0.50", "1", "2e3"], ["0.5", "1.0", "2000.0"]),
        (["None", "NA", "x"], ["nan", "nan", "x"]),
        (["True", "false", "TRUE"], ["True", "False", "True"]),
        (["NA", "None"], ["nan", "nan"]),
        (["1,000", "2"], ["1,000", "2"]),
    ],
)
def test_a_column_reads_as_pandas_reads_it(fields: list[str], read: list[str]) -> None:
    assert pandas_csv.column(fields) == read
    pandas = pytest.importorskip("pandas")
    assert [format(value) for value in _pandas(pandas, [[field] for field in fields]).iloc[:, 0]] == read


def _pandas(pandas: Any, rows: list[list[str]]) -> Any:
    import csv
    import io

    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_ALL).writerows(rows)
    return pandas.read_csv(io.StringIO(buffer.getvalue()), header=None)


def test_real_mmlu_reads_as_pandas_reads_it(shared_data: Path) -> None:
    pandas = pytest.importorskip("pandas")
    folder = shared_data / "mmlu"
    changed = 0
    for subject in ("college_mathematics", "econometrics", "elementary_mathematics", "electrical_engineering"):
        clean = read_subject(folder, subject, "test")
        ours = pandas_csv.as_pandas_reads(clean)
        table = pandas.read_csv(folder / "test" / f"{subject}_test.csv", header=None)
        theirs = [[format(table.iloc[row, place]) for place in range(5)] for row in range(len(table))]
        assert [[question.text, *question.choices] for question in ours] == theirs
        changed += sum(before != after for before, after in zip(clean, ours, strict=True))
    assert changed == 7


def test_real_subjects_run_on_a_small_model_and_count_what_was_cut(shared_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from harness.engines.transformers import ENGINE

    for split in ("dev", "test"):
        (tmp_path / split).mkdir()
        for subject in ("abstract_algebra", "professional_law"):
            source = shared_data / "mmlu" / split / f"{subject}_{split}.csv"
            (tmp_path / split / source.name).write_bytes(source.read_bytes())
    with ENGINE.open(shared_data / "models" / "stories260K", ENGINE.options.model_validate({"threads": 1})) as session:
        workload = Workload(questions=str(tmp_path), limit=4, too_long="drop_shots")
        found = measure(session, workload, Context(folder=tmp_path))
    protocol = found.protocol
    assert (protocol.scored or 0) + protocol.skipped == 8
    assert protocol.truncated > 0
    assert protocol.skipped > 0
    assert protocol.limit == 4


@pytest.mark.parametrize(("too_long", "never"), [("skip", (7, 9)), ("drop_shots", ())])
def test_end_of_sequence_is_an_answer_in_the_transformers_loop_alone(
    folder: Path, too_long: Literal["skip", "drop_shots"], never: tuple[int, ...]
) -> None:
    asked = set()

    class Watching(Answers):
        def greedy(self, prompt: Sequence[int], tokens: int, never: Sequence[int] = ()) -> list[int]:
            asked.add(tuple(never))
            return super().greedy(prompt, tokens, never)

    session = Watching(" A")
    session.codec = ByteCodec()
    session.codec.eos, session.codec.ends = 7, (7, 9)
    measure(session, Workload(questions=str(folder), shots=0, too_long=too_long), Context(folder=folder))
    assert asked == {never}
