"""Texts and questions by name: what ships with the harness, a file of one's own, or a pinned revision from the hub.

A name never falls back to another source: what cannot be read is an error that says so.
"""

from __future__ import annotations

import csv
import difflib
import functools
import hashlib
import io
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness import hub_data
from harness.core.errors import ConfigError, Problem
from harness.core.paths import placed
from harness.core.privacy import cache_folder
from harness.core.spec import Note
from harness.corpus import Border, Corpus, Rows, Text, cut, normalized, wikitext_rows

REFERENCE = "reference"
CALIBRATION = "reference-calibration"
LETTERS = "ABCD"
Split = Literal["dev", "test"]
HENDRYCKS = "question, A, B, C, D, letter"
_DOCUMENT_KEYS = ("text", "story", "article", "content", "document")


@dataclass(frozen=True)
class HubText:
    """Rows of a hub data set; the revision stands in the code because the content is part of what is measured."""

    path: str
    config: str | None
    revision: str
    split: str
    column: str


HUB_TEXTS: Mapping[str, HubText] = {
    "wikitext-2": HubText(
        "Salesforce/wikitext", "wikitext-2-raw-v1", "b08601e04326c79dfdd32d625aee71d232d685c3", "test", "text"
    ),
    "cnn_dailymail": HubText(
        "abisee/cnn_dailymail", "3.0.0", "96df5e686bee6baa90b8bee7c28b81fa3fa6223d", "train", "article"
    ),
    "pile-val": HubText(
        "mit-han-lab/pile-val-backup", None, "2f5e46ae6a69cf0dce4b12f78241c408936ca0e4", "validation", "text"
    ),
}
HUB_QUESTIONS = "cais/mmlu"
_HUB_QUESTIONS_REVISION = "c30699e8356da336a370243923dbaf21066bb9fe"


@dataclass(frozen=True)
class Question:
    """One multiple-choice question; `line` is where it begins in its file."""

    text: str
    choices: tuple[str, str, str, str]
    letter: str
    line: int

    @property
    def answer(self) -> int:
        """Give the index of the right choice."""
        return LETTERS.index(self.letter)


# ---------------------------------------------------------------- texts


BUILT_IN: Mapping[str, Corpus] = {
    REFERENCE: Corpus(documents="blank-lines"),
    CALIBRATION: Corpus(documents="blank-lines"),
    "wikitext-2": Corpus(rows="wikitext", sha256="696cca6b65a171b0a358a4be6732cdfdf2dd6164a32e20fd70e3c13fc4dfae83"),
    "cnn_dailymail": Corpus(rows="jsonl"),
    "pile-val": Corpus(rows="jsonl"),
}
"""How the texts that the harness knows by name are read."""


def text_file(name: str, corpus: Corpus | None = None) -> Path:
    """Give the file or folder behind a text: of `reference`, `reference-calibration`, a declared text, or a path.

    Raises: ConfigError where there is none, with the nearest right name.
    """
    from harness import reference

    place = corpus.path if corpus is not None else None
    if place is None and name == REFERENCE:
        return _present(reference.heldout_path(), name)
    if place is None and name == CALIBRATION:
        return _present(reference.calibration_path(), name)
    if from_hub(name, corpus):
        raise ConfigError(f"the text '{name}' comes from the hub and has no file; give the path of a file instead")
    path = placed(name if place is None else place)
    if not path.exists():
        raise ConfigError(f"no text '{name}'{_nearest(name)}: there is no file {path}; give {_text_names()} or a path")
    return path


def text_files(name: str, corpus: Corpus | None = None) -> dict[str, Path]:
    """Give the files whose content decides a text, by role; none for a pinned hub revision.

    The role says that a `.jsonl` file of which nothing is declared is read as records.
    """
    if from_hub(name, corpus):
        return {}
    path = text_file(name, corpus)
    return {"text as json lines" if corpus is None and path.suffix == ".jsonl" else "text": path}


def from_hub(name: str, corpus: Corpus | None = None) -> bool:
    """Say whether a text comes from the hub."""
    return name in HUB_TEXTS and (corpus is None or corpus.path is None)


def text_refusal(name: str, packages: Mapping[str, str], corpus: Corpus | None = None) -> str | None:
    """Say why a text cannot be had by an environment with these packages, as far as that is known beforehand."""
    return hub_data.refusal(HUB_TEXTS[name].path, packages) if from_hub(name, corpus) else None


def questions_refusal(name: str, packages: Mapping[str, str]) -> str | None:
    """Say why questions cannot be had by an environment with these packages, as far as that is known beforehand."""
    return (
        hub_data.refusal(HUB_QUESTIONS, packages)
        if name == HUB_QUESTIONS and not written_questions().is_dir()
        else None
    )


def read(name: str, corpus: Corpus | None = None) -> Text:
    """Read a text as documents.

    Without a declaration a `.jsonl` file is read as records, a folder as its `.txt` files, and any other file as its
    characters, whose documents are articles where there are headings ` = Title = `, else passages between blank lines.
    Raises: ConfigError for a text that is not there, not UTF-8, empty, or not the one whose hash is declared.
    """
    declared = corpus or BUILT_IN.get(name)
    form = declared or Corpus()
    if from_hub(name, corpus):
        rows, border, raw = form.rows, form.documents, hub_rows(name)
    else:
        path = text_file(name, corpus)
        rows = "jsonl" if declared is None and path.suffix == ".jsonl" else form.rows
        raw, border = _parts(path, rows, form.documents)
    parts, changes = _normalized(raw)
    if rows == "wikitext" and not from_hub(name, corpus):
        parts = wikitext_rows(parts[0])
    documents, border = cut(rows, border, parts)
    found = Text(documents, rows, border, changes, declared is not None)
    _check(found, name, form)
    return found


def _parts(path: Path, rows: Rows, border: Border | None) -> tuple[list[str], Border | None]:
    """Read a file, its records, or the files of a folder; says of a folder that its documents are files."""
    if path.is_dir():
        files = sorted(path.glob("*.txt"))
        if not files:
            raise ConfigError(
                f"the folder {path} holds no .txt file; a text that is a folder has one for each document"
            )
        if rows != "plain" or border not in {None, "files"}:
            raise ConfigError(f"{path} is a folder: its documents are files; leave 'rows' and 'documents' out")
        return [_decoded(file) for file in files], "files"
    if border == "files":
        raise ConfigError(f"documents: files needs a folder of .txt files, and {path} is a file")
    return list(_json_documents(path)) if rows == "jsonl" else [_decoded(path)], border


def _normalized(raw: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    done = [normalized(part) for part in raw]
    return [part for part, _ in done], tuple(dict.fromkeys(said for _, changes in done for said in changes))


def _check(text: Text, name: str, form: Corpus) -> None:
    if not any(part.strip() for part in text.documents):
        raise ConfigError(f"the text '{name}' is empty; give a text with words in it")
    if form.sha256 is None:
        return
    found = hashlib.sha256(text.whole.encode()).hexdigest()
    if found != form.sha256:
        raise ConfigError(
            f"the text '{name}' is not the one that is meant: its sha256 is {found[:12]}, and {form.sha256[:12]} is "
            "declared; give the right file, or the text another name"
        )


def read_text(name: str, corpus: Corpus | None = None) -> str:
    """Read a text as one string."""
    return read(name, corpus).whole


def text_label(name: str) -> str:
    """Name a text without the folder in which one machine keeps it."""
    return Path(name).name


def change_notes(text: Text, name: str) -> tuple[Note, ...]:
    """Note what of a text was made the same for all copies."""
    said = f"text '{text_label(name)}': {', '.join(text.changes)}"
    return (Note(code="normalized-text", text=said),) if text.changes else ()


def hub_rows(name: str) -> list[str]:
    """Read the rows of a text from the hub, at the revision that the harness pins.

    Raises: MissingDependency without `datasets`; HarnessError where the hub cannot be reached.
    """
    source = HUB_TEXTS[name]
    rows = hub_data.load(source.path, source.config, source.revision, source.split)
    return [str(row) for row in rows[source.column]]


def _json_documents(path: Path) -> Iterator[str]:
    for number, line in enumerate(_decoded(path).removeprefix("\ufeff").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ConfigError([Problem(f"this line is not JSON ({error.msg})", path, number)]) from None
        found = next((row[key] for key in _DOCUMENT_KEYS if isinstance(row, dict) and key in row), None)
        if not isinstance(found, str):
            wanted = ", ".join(_DOCUMENT_KEYS)
            raise ConfigError([Problem(f"this line has no text under any of: {wanted}", path, number)])
        yield found


def _decoded(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from None


def _present(path: Path, name: str) -> Path:
    if not path.is_file():
        raise ConfigError(f"the text '{name}' should lie at {path} but does not; install the package again")
    return path


def _text_names() -> str:
    return ", ".join((REFERENCE, CALIBRATION, *HUB_TEXTS))


def _nearest(name: str) -> str:
    close = difflib.get_close_matches(name, (REFERENCE, CALIBRATION, *HUB_TEXTS), n=1, cutoff=0.7)
    return f" (did you mean '{close[0]}'?)" if close else ""


# ---------------------------------------------------------------- questions


def questions_folder(name: str) -> Path:
    """Give the folder behind a question set's name: `reference`, `cais/mmlu` (hub), or a folder in Hendrycks' layout.

    Raises: ConfigError where it lacks `dev` or `test`.
    """
    from harness import reference

    if name == HUB_QUESTIONS:
        return _hub_questions()
    folder = reference.questions_folder() if name == REFERENCE else placed(name)
    for split in ("dev", "test"):
        if not (folder / split).is_dir():
            raise ConfigError(
                f"no questions '{name}': {folder / split} is not a folder; give '{REFERENCE}', '{HUB_QUESTIONS}' or a "
                f"folder with dev/<subject>_dev.csv and test/<subject>_test.csv"
            )
    return folder


def question_files(name: str) -> dict[str, Path]:
    """Give the files whose content decides a question set, by role; none for the pinned hub revision.

    Raises: ConfigError with the line of every row that is no question.
    """
    if name == HUB_QUESTIONS:
        return {}
    folder = questions_folder(name)
    check_questions(folder)
    found = {f"{split}/{path.name}": path for split in ("dev", "test") for path in (folder / split).glob("*.csv")}
    return dict(sorted(found.items()))


def subjects(folder: Path) -> list[str]:
    """List the subjects of a folder, in alphabetical order. Raises: ConfigError where there is none."""
    found = sorted(path.name.removesuffix("_test.csv") for path in (folder / "test").glob("*_test.csv"))
    if not found:
        raise ConfigError(f"{folder / 'test'} holds no <subject>_test.csv; questions lie one file per subject there")
    return found


def read_subject(folder: Path, subject: str, split: Split) -> list[Question]:
    """Read the questions of one subject; every field is text as written, "None" and "NA" too.

    Raises: ConfigError with the line of every row that has not six columns or no letter from A to D.
    """
    path = folder / split / f"{subject}_{split}.csv"
    problems, found = [], []
    for line, row in csv_rows(path):
        if len(row) != 6:
            problems.append(Problem(f"this row has {len(row)} columns, not six ({HENDRYCKS}); complete it", path, line))
        elif row[5].strip() not in tuple(LETTERS):
            problems.append(Problem(f"the right answer is '{row[5]}', not one of A, B, C, D", path, line))
        else:
            found.append(Question(row[0], (row[1], row[2], row[3], row[4]), row[5].strip(), line))
    if problems:
        raise ConfigError(problems)
    return found


def check_questions(folder: Path) -> None:
    """Read every question of a folder. Raises: ConfigError with every row of every file that is no question."""
    problems: list[Problem] = []
    splits: tuple[Split, ...] = ("dev", "test")
    for split in splits:
        for path in sorted((folder / split).glob(f"*_{split}.csv")):
            subject, facts = path.stem.removesuffix(f"_{split}"), path.stat()
            problems += _question_problems(folder, subject, split, facts.st_size, facts.st_mtime_ns)
    if problems:
        raise ConfigError(problems)


@functools.lru_cache(maxsize=1024)
def _question_problems(folder: Path, subject: str, split: Split, _size: int, _mtime_ns: int) -> tuple[Problem, ...]:
    try:
        read_subject(folder, subject, split)
    except ConfigError as error:
        return tuple(error.problems)
    return ()


def csv_rows(path: Path) -> list[tuple[int, list[str]]]:
    """Read a CSV file without a header as (line at which the row begins, fields); blank lines are left out."""
    if not path.is_file():
        raise ConfigError(f"the question file {path} is missing; every subject has a file in both dev and test")
    begun, found = 1, []
    reader = csv.reader(io.StringIO(_decoded(path).removeprefix("\ufeff"), newline=""))
    try:
        for row in reader:
            if row:
                found.append((begun, row))
            begun = reader.line_num + 1
    except csv.Error as error:
        raise ConfigError([Problem(f"this is not CSV ({error})", path, reader.line_num)]) from None
    return found


def written_questions() -> Path:
    """Name the folder of our cache into which the hub's questions are written."""
    return cache_folder() / f"mmlu-{_HUB_QUESTIONS_REVISION[:12]}"


def _hub_questions() -> Path:
    """Write the hub's questions in Hendrycks' layout into our cache, once, and give the folder."""
    folder = written_questions()
    if folder.is_dir():
        return folder
    partial = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    for split in ("dev", "test"):
        (partial / split).mkdir(parents=True, exist_ok=True)
        by_subject: dict[str, list[list[str]]] = {}
        for row in hub_data.load(HUB_QUESTIONS, "all", _HUB_QUESTIONS_REVISION, split):
            fields = [row["question"], *row["choices"], LETTERS[row["answer"]]]
            by_subject.setdefault(row["subject"], []).append(fields)
        for subject, rows in by_subject.items():
            path = partial / split / f"{subject}_{split}.csv"
            with path.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(rows)
    os.replace(partial, folder)
    return folder
