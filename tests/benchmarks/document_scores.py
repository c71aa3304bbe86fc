"""Real per-document sums for the coverage benchmark: tiny models in float32 and after rounding, on texts with documents.

Everything here is plain PyTorch on the models' own folders, so that the scores owe nothing to the code they test.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

WINDOW, BATCH = 512, 8
GROUP = 32
FIELDS = ("counts", "nll", "nll8", "nll4", "kl8", "kl4", "top8", "top4")
"""Columns of a corpus: scored tokens; summed negative log-likelihood in float32, 8 and 4 bits; KL and top-1 agreement."""


class Corpus(NamedTuple):
    """A text cut into documents, and the model that reads it; `alone`: each document in passes of its own."""

    documents: Callable[[], list[str]]
    model: Path
    alone: bool = False


def corpora(data: Path) -> dict[str, Corpus]:
    """Name the corpora of `../shared/data` and the shipped text with the models that score them."""
    from harness import reference

    stories, letters = data / "models" / "stories260K", data / "models" / "babyllama-105"
    return {
        "reference text, reference model": Corpus(lambda: passages(reference.heldout_path()), reference.model_folder()),
        "tinystories, stories260K": Corpus(lambda: records(data / "tinystories" / "tinystories_eval.jsonl"), stories, True),
        "tinystories, babyllama-105": Corpus(lambda: records(data / "tinystories" / "tinystories_eval.jsonl"), letters, True),
        "wikitext-2 articles, stories260K": Corpus(lambda: wikitext(data / "wikitext-2" / "wiki.test.raw"), stories),
        "C4 pages, stories260K": Corpus(lambda: lines(data / "calibration" / "c4.utf8"), stories),
        "Wikipedia articles, stories260K": Corpus(lambda: wikipedia(data / "calibration" / "wiki.utf8"), stories),
    }  # fmt: skip


def wikitext(path: Path) -> list[str]:
    """Cut WikiText at its article headings: a line ` = Title = ` between blank lines."""
    return [part for part in re.split(r"(?m)(?<=\n \n)(?= = [^=\n].*[^=\n] = \n \n)", _text(path)) if part.strip()]


def lines(path: Path) -> list[str]:
    """Take each line for a document."""
    return [f"{line}\n" for line in _text(path).split("\n") if line.strip()]


def wikipedia(path: Path) -> list[str]:
    """Cut an extract of Wikipedia at its `<doc ...>` elements, whose last may be cut off."""
    return [part for part in re.split(r"<doc [^>]*>|</doc>", _text(path)) if part.strip()]


def records(path: Path) -> list[str]:
    """Read the records of a JSONL file."""
    return [json.loads(line)["text"] for line in _text(path).splitlines() if line.strip()]


def passages(path: Path) -> list[str]:
    """Cut a text at its blank lines."""
    return [f"{part}\n\n" for part in _text(path).split("\n\n") if part.strip()]


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8")


def score(corpus: Corpus) -> Any:
    """Score a corpus: float64 [documents, len(FIELDS)]."""
    import numpy as np
    import torch

    models = [_model(corpus.model, bits) for bits in (None, 8, 4)]
    documents = corpus.documents()
    table = np.zeros((len(documents), len(FIELDS)))
    with torch.inference_mode():
        for ids, first, owners in _passes(corpus, documents):
            rows = _compare(models, ids, first)
            np.add.at(table, owners, rows)
    return table


def _compare(models: list[Any], ids: Any, first: list[int]) -> Any:
    """Score the targets of a batch of windows, from each one's `first` on: float64 [targets, len(FIELDS)]."""
    import torch

    logs = [torch.log_softmax(model(ids).logits[:, :-1], dim=-1) for model in models]
    wanted = torch.zeros(ids[:, 1:].shape, dtype=torch.bool)
    for row, (start, end) in enumerate(first):
        wanted[row, start - 1 : end - 1] = True
    targets = ids[:, 1:, None]
    nll = [-log.gather(-1, targets)[..., 0][wanted] for log in logs]
    top = [log.argmax(-1)[wanted] for log in logs]
    kl = [(logs[0].exp() * (logs[0] - log)).sum(-1)[wanted] for log in logs[1:]]
    agree = [(top[0] == other).double() for other in top[1:]]
    return torch.stack([torch.ones_like(nll[0]), *nll, *kl, *agree], dim=1).double().numpy()


def _passes(corpus: Corpus, documents: list[str]) -> Iterator[tuple[Any, list[tuple[int, int]], Any]]:
    """Yield batches: token ids, the span of scored targets in each row, and each target's document."""
    import numpy as np
    import torch

    windows: list[tuple[list[int], int, list[int]]] = []
    for ids, first, owners in _alone(corpus, documents) if corpus.alone else _stream(corpus, documents):
        windows.append((ids, first, owners))
        if len(windows) == BATCH:
            yield _batch(windows, np, torch)
            windows = []
    if windows:
        yield _batch(windows, np, torch)


def _batch(windows: list[tuple[list[int], int, list[int]]], np: Any, torch: Any) -> Any:
    width = max(len(ids) for ids, _, _ in windows)
    padded = torch.tensor([ids + [0] * (width - len(ids)) for ids, _, _ in windows])  # causal: padding behind is unseen
    spans = [(first, len(ids)) for ids, first, _ in windows]
    return padded, spans, np.concatenate([np.asarray(owners) for _, _, owners in windows])


def _alone(corpus: Corpus, documents: list[str]) -> Iterator[tuple[list[int], int, list[int]]]:
    tokenizer, bos, longest = _tokenizer(corpus.model)
    for number, text in enumerate(documents):
        ids = [bos, *tokenizer.encode(text, add_special_tokens=False).ids][:longest]
        yield ids, 1, [number] * (len(ids) - 1)


def _stream(corpus: Corpus, documents: list[str]) -> Iterator[tuple[list[int], int, list[int]]]:
    import numpy as np

    tokenizer, _, _ = _tokenizer(corpus.model)
    found = tokenizer.encode("".join(documents), add_special_tokens=False)
    borders = np.cumsum([len(text) for text in documents])
    owner = np.searchsorted(borders, [begin for begin, _ in found.offsets], side="right").clip(0, len(documents) - 1)
    for begin in range(0, len(found.ids) - 1, WINDOW):
        end = min(begin + WINDOW, len(found.ids))
        yield found.ids[begin:end], 1, owner[begin + 1 : end].tolist()


def _tokenizer(folder: Path) -> tuple[Any, int, int]:
    from tokenizers import Tokenizer

    config = json.loads((folder / "config.json").read_text("utf-8"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    return tokenizer, config["bos_token_id"], config["max_position_embeddings"]


def _model(folder: Path, bits: int | None) -> Any:
    """Load a model in float32; with `bits`, its linear layers but the head rounded to nearest in groups of 32."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    for name, layer in model.named_modules():
        if bits and isinstance(layer, torch.nn.Linear) and name != "lm_head":
            layer.weight.data = _rounded(layer.weight.data, bits)
    return model.eval()


def _rounded(weight: Any, bits: int) -> Any:
    import torch

    columns = weight.shape[1]
    group = GROUP if columns % GROUP == 0 else next(size for size in range(GROUP, 0, -1) if columns % size == 0)
    parts = weight.reshape(weight.shape[0], -1, group)
    most = 2 ** (bits - 1) - 1
    scale = parts.abs().amax(-1, keepdim=True).clamp_min(1e-12) / most
    return (torch.round(parts / scale).clamp(-most - 1, most) * scale).reshape(weight.shape)


def cached(name: str, corpus: Corpus, folder: Path) -> Any:
    """Return the scores of a corpus, computed once."""
    import numpy as np

    path = folder / f"{re.sub('[^a-z0-9]+', '-', name.lower())}.npy"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.save(path, score(corpus))
    return np.load(path)
