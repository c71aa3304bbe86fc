"""Texts and questions by name: what ships with the harness, a file of one's own, or a pinned revision from the hub.

A name never falls back to another source: what cannot be read is an error that says so.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness import hub_data
from harness.core.errors import ConfigError, Problem
from harness.core.paths import placed
from harness.core.spec import Note
from harness.core.spelling import meant_by
from harness.corpus import Border, Corpus, Rows, Text, cut, normalized, wikitext_rows

REFERENCE = "reference"
CALIBRATION = "reference-calibration"
_DOCUMENT_KEYS = ("text", "story", "article", "content", "document")


@dataclass(frozen=True)
class HubText:
    """Rows of a hub data set; the revision stands in the code because the content is part of what is measured."""

    path: str
    config: str | None
    revision: str
    split: str
    column: str
    most_bytes: int
    """Not less than its rows take in UTF-8 with what joins them, so that a plan knows it without the text."""


HUB_TEXTS: Mapping[str, HubText] = {
    "wikitext-2": HubText(
        "Salesforce/wikitext",
        "wikitext-2-raw-v1",
        "b08601e04326c79dfdd32d625aee71d232d685c3",
        "test",
        "text",
        1_310_000,
    ),
    "cnn_dailymail": HubText(
        "abisee/cnn_dailymail",
        "3.0.0",
        "96df5e686bee6baa90b8bee7c28b81fa3fa6223d",
        "train",
        "article",
        1_400_000_000,
    ),
    "pile-val": HubText(
        "mit-han-lab/pile-val-backup",
        None,
        "2f5e46ae6a69cf0dce4b12f78241c408936ca0e4",
        "validation",
        "text",
        2_000_000_000,
    ),
}


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
    close = meant_by(name, (REFERENCE, CALIBRATION, *HUB_TEXTS))
    return f" (did you mean '{close}'?)" if close else ""


# ---------------------------------------------------------------- questions
