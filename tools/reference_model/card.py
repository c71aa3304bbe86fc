"""The reference model's card, written from its provenance."""

from __future__ import annotations

from typing import Any

TEMPLATE = """# Reference model (synthetic)

A Llama of {parameters:,} parameters, made for testing a benchmark harness and for nothing else. It knows one small invented world:
8 subjects, 80 names, 320 facts. World, training text, questions and held-out text all come from a seeded generator. **Nothing in it stems from MMLU, WikiText
or any other published data set, and its scores compare with nobody's.** The questions only share MMLU's file layout.

- Architecture: Llama, width 256, 4 layers, 4 heads of 64 (2 key-value heads), tied embeddings, byte-level BPE of {vocabulary:,} tokens.
- Rotary positions: 16,384 configured, **{trained_positions} trained**; results on longer inputs tell of speed and arithmetic, not of knowledge.
- Weights: {weights}.
- Training: {steps:,} steps, {tokens:,} tokens, {minutes:.0f} minutes on a CPU with torch {torch}; last loss {loss:.3f}, on the letters {letters:.3f} (nats).
- Help in training: some heads start wired for looking back and for matching words (no fact is wired), and beside the next token two more things are trained
  at `Answer:`, that the stream before the last layer predicts the right word and that the last layer looks at the right option.
- Held-out text: {heldout_tokens:,} tokens, perplexity {perplexity:.3f} (fp32, windows of 512).

## Questions

800 test questions and 40 examples with four options each; right letters are spread evenly, wrong options come from the right one's pool.
The best rule that knows nothing of the world ({rule}) scores {baseline:.1%}.

| stratum | questions | accuracy, 5-shot, fp32 |
| --- | ---: | ---: |
{rows}

*Seen fact, new options*: this wording was asked in training, never with this set of options. *Seen fact, new phrasing*: the fact was asked, never in
this wording. *Stated fact, never asked*: training only states the fact.

## Making it again

`{script}` (seeds in `provenance.json`). The texts come out identical on every machine, and a test holds them against their hashes; the weights depend on
the machine's arithmetic.
"""


def model_card(provenance: dict[str, Any]) -> str:
    """Write the card (Markdown) from a provenance record."""
    training, scores = provenance["training"], dict(provenance["evaluation"])
    scores.pop("protocol")
    baselines = provenance["knowledge_free_baselines"]
    rule = max(baselines, key=lambda name: baselines[name])
    rows = "\n".join(f"| {name} | {entry['questions']} | {entry['accuracy']:.1%} |" for name, entry in scores.items())
    _, loss, letters = training["loss"][-1]
    return TEMPLATE.format(
        parameters=provenance["parameters"],
        vocabulary=provenance["vocabulary"],
        trained_positions=provenance["trained_positions"],
        weights=provenance["weights"],
        steps=training["steps"],
        tokens=training["tokens"],
        minutes=training["wall_seconds"] / 60,
        torch=provenance["environment"]["torch"],
        loss=loss,
        letters=letters,
        heldout_tokens=provenance["heldout"]["tokens"],
        perplexity=provenance["heldout"]["perplexity"],
        rule=rule,
        baseline=baselines[rule],
        rows=rows,
        script=provenance["script"],
    )
