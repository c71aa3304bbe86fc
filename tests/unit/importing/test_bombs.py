"""Files of strangers that are small and stand for much, have no end, or are nested without one: refused at once, in a sentence."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.core import limits
from harness.core.errors import ConfigError
from harness.formats.optimum_config import read_config
from harness.formats.source import read_source
from harness.pages.writing import read_page
from harness.published.reading import read_published

MERGED = "a0: &a0 {k: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12))
BOMBS = {
    "aliases": "a0: &a0 {x: 1}\n"
    + "".join(f"a{n}: &a{n} {{p: *a{n - 1}, q: *a{n - 1}, r: *a{n - 1}}}\n" for n in range(1, 40)),
    "merged": MERGED,
    "itself": "a: &a {b: *a}\n",
    "nested": "[" * 50_000,
    "indented": "a:\n" + "".join(" " * n + "- \n" for n in range(1, 200)),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("text", BOMBS.values(), ids=BOMBS)
def test_a_configuration_beside_results_that_stands_for_much_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(
        ConfigError, match=r"config\.yaml: .*(nested too deep|written out|merge key).*restore it or move"
    ):
        read_config(path)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("depth", [400, 100_000])
def test_json_nested_without_end_is_refused(tmp_path: Path, depth: int) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"a":' * depth + "1" + "}" * depth, "utf-8")
    if depth > 1000:
        with pytest.raises(ConfigError, match="is nested too deep"):
            read_config(path)
    else:
        assert isinstance(read_config(path)["a"], dict)


@pytest.mark.timeout(30)
def test_an_alias_and_a_small_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("a: &a [1, 2]\nb: *a\n'<<': word\n", "utf-8")
    assert read_config(path) == {"a": [1, 2], "b": [1, 2], "<<": "word"}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("read", [read_config, read_source, read_page])
def test_a_pipe_is_no_file_and_is_not_waited_for(tmp_path: Path, read: object) -> None:
    path = tmp_path / "config.yaml"
    os.mkfifo(path)
    with pytest.raises(ConfigError, match=r"config\.yaml: cannot be read"):
        read(path)  # type: ignore[operator]


@pytest.mark.timeout(30)
def test_a_file_larger_than_any_is_not_read_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "config.yaml"
    with open(path, "wb") as file:
        file.truncate(limits.READ_BYTES + 1)  # a hole, which takes no disk
    monkeypatch.setattr(limits, "READ_BYTES", 1000)
    for read in (read_config, read_source, read_page):
        with pytest.raises(ConfigError, match="cannot be read"):
            read(path)


@pytest.mark.timeout(30)
def test_merge_keys_of_published_results_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"environments: {{}}\nruns: []\n{MERGED}", "utf-8")
    with pytest.raises(ConfigError, match="merge key"):
        read_published(tmp_path)
