"""A night as people and machines read it: Markdown, JUnit XML, an issue."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from harness.night.alarms import with_open
from harness.night.issue import issue_state, to_issue
from harness.night.junit import to_junit
from harness.night.record import NightSide
from harness.night.text import headline, to_markdown
from tests.unit.night.numbers import FOUND, night, number

MISSED = (FOUND[0].model_copy(update={"found": False, "said": "it is not called worse: -2 %"}), FOUND[1])
SKIPPED = (
    FOUND[0].model_copy(update={"found": False, "skipped": True, "said": "another process used the GPU (2 blocks)"}),
    FOUND[1],
)
ALL = (
    number("worse", series="w"), number("worse", series="k", name="Known", cause="flag | off <by> default"), number("worse", series="o", confirmed=False),
    number("same", series="s"), number("better", series="b"), number("cannot tell", series="c"), number("missing", series="m", name="Gone"),
    number("skipped", series="d", name="Busy", why="another process used the GPU (2 blocks)"), number("not reached", series="n", name="Late"),
)  # fmt: skip
WHOLE = with_open(night(*ALL, unchanged=4, told=("the clock went back",)), None)


def test_the_report_says_first_what_to_look_at_and_names_everything() -> None:
    text = to_markdown(WHOLE)
    assert text.index("## Worse") < text.index("## Canaries") < text.index("## All numbers") < text.index("## Missing")
    assert (
        "**1 worse, 1 known to be worse, 1 worse at first and not again, 1 better, 1 same, 1 cannot tell, 1 missing, 1 skipped, 1 not reached, 4 unchanged**"
        in text
    )
    assert "- Decode, tiny int4 ort-genai: -9.52% \\[-10.42%, -8.61%\\], again -9.34%" in text
    assert "| worse at first, not again |" in text
    assert "Busy: another process used the GPU" in text
    assert "| 9 (-1.00%, -, +2.02%) |" in to_markdown(night(number(nights=9, recent=(-0.01005, None, 0.02))))
    assert "## Not reached: neither passing nor failing" in text
    assert "released (onnxruntime-genai 0.15.2)" in text
    assert "the clock went back" in text
    assert "flag \\| off" in text


def test_the_sweeps_own_tables_stand_below_the_verdicts_with_the_session_of_their_rounds() -> None:
    record = night(number(), tables=("| a |\n| --- |\n| 1 |",), sessions={"main": "20261128T010000-aa"})
    text = to_markdown(record)
    assert text.index("## All numbers") < text.index("## Tables, of the same rounds") < text.index("| a |")
    assert "read them again with --where session=20261128T010000-aa." in text
    assert "## Tables" not in to_markdown(night(number()))
    assert "| a |" in to_issue(record)
    long = record.model_copy(update={"tables": ("x" * 50_000,)})
    assert "## All numbers" in to_issue(long), "tables go first where an issue is too long"
    assert "Left out here, since an issue ends at 65,536 characters: 1." in to_issue(long)
    assert len(to_issue(long)) < 40_000


def test_a_night_whose_canary_was_missed_says_nothing_else_in_its_headline() -> None:
    assert headline(night(number("worse"), canaries=MISSED)).startswith("the gate cannot bite")
    assert headline(night()) == "nothing to compare"


def test_an_alarm_that_was_not_judged_tonight_is_still_shown() -> None:
    before = with_open(night(number("worse"), count=1), None)
    text = to_markdown(with_open(night(number("skipped"), count=2), before))
    assert "since night 20261128-aaaaaa; not judged in night 20261129-aaaaaa" in text


def test_junit_has_a_case_for_each_number_and_says_which_passed() -> None:
    (suite,) = ET.fromstring(to_junit(WHOLE))
    assert [suite.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["11", "1", "0", "4"]
    kinds = {case.get("name"): [child.tag for child in case] for case in suite}
    assert kinds["Busy"] == kinds["Gone"] == kinds["Late"] == ["skipped"]
    assert kinds["Known"] == ["system-out"]
    failures = [case.find("failure") for case in suite if case.find("failure") is not None]
    assert "again -9.34%" in str(failures[0].get("message") if failures[0] is not None else "")


def test_a_missed_canary_is_an_error_and_odd_letters_leave_the_xml_whole() -> None:
    (suite,) = ET.fromstring(to_junit(night(number(name="a\x00b <&> \ud800"), canaries=MISSED)))
    assert suite.get("errors") == "1"
    assert [case.get("name") for case in suite][-1] == "a?b <&> ?"


def test_a_canary_that_was_skipped_is_neither_found_nor_missed() -> None:
    record = with_open(night(number(), canaries=SKIPPED), None)
    assert headline(record) == "1 same; canary of speed skipped"
    text = to_markdown(record)
    assert "on tiny int4 ort-genai: skipped, another process used the GPU" in text
    assert "cannot bite" not in text
    (suite,) = ET.fromstring(to_junit(record))
    assert [suite.get(name) for name in ("errors", "skipped")] == ["0", "1"]
    assert issue_state(record) == "closed"


def test_a_canary_in_numbers_is_told_as_such() -> None:
    numbers = (FOUND[0].model_copy(update={"injected": "numbers"}), FOUND[1])
    told = "found, -7.4%, again -7.6%; numbers only: the injection was made to the numbers, not in an engine"
    assert to_markdown(night(number(), canaries=numbers)).count(told) == 1


NASTY = "@octocat #12 GH-7 <!-- state: open --> --> `x` </details> | [a](javascript:b) **c**"


def test_no_name_calls_anybody_or_ends_the_body() -> None:
    """Whatever users name reaches the issue and the summary: GitHub would notify people and link issues by it."""
    odd = [number(word, series=word, name=NASTY, why=NASTY, cause=cause) for word, cause in
           (("worse", ""), ("worse", NASTY), ("missing", ""), ("skipped", ""), ("not reached", ""), ("same", ""))]  # fmt: skip
    odd[1] = odd[1].model_copy(update={"series": "known"})
    canaries = tuple(
        one.model_copy(update={"found": found, "name": NASTY, "said": NASTY, "size": NASTY})
        for one, found in zip(FOUND, (True, False), strict=True)
    )
    side = NightSide(name=NASTY, packages={NASTY: NASTY})
    before = with_open(night(number("worse", series="old", name=NASTY), count=1), None)
    record = with_open(
        night(*odd, number("skipped", series="old", name=NASTY), count=2, canaries=canaries, told=(NASTY,), sweep=5 * NASTY, baseline=side, candidate=side), before
    )  # fmt: skip
    summary, issue = to_markdown(record), to_issue(record)
    for text in (summary, issue.split("\n", 2)[2]):
        assert not re.search(r"@\w|#\d|[gG][hH]-\d", text.replace("&#8203;", "\u200b"))
        assert "<!--" not in text
        assert text.count("</details>") == (text is not summary)
        assert "&#8203;octocat" in text
    assert issue.splitlines()[1] == "<!-- state: open -->"
    assert issue.splitlines()[0].count("-->") == 1
    assert len(issue.splitlines()[0]) < 280, "GitHub refuses longer titles than 256 characters"
    ET.fromstring(to_junit(record))


def head_of(text: str) -> dict[str, str]:
    """Read what a workflow step reads: the comments of the first two lines."""
    lines = text.splitlines()[:2]
    return dict(line.removeprefix("<!-- ").removesuffix(" -->").split(": ", 1) for line in lines)


def test_the_issue_opens_updates_and_closes_itself_under_one_title() -> None:
    first = with_open(night(number("worse"), count=1), None)
    skipped = with_open(night(number("skipped"), count=2), first)
    good = with_open(night(number(), count=3), skipped)
    heads = [head_of(to_issue(one)) for one in (first, skipped, good)]
    assert [one["state"] for one in heads] == ["open", "open", "closed"]
    assert len({one["title"] for one in heads}) == 1
    assert "not judged in night 20261129-aaaaaa" in to_issue(skipped)
    assert "resolved in night 20261130-aaaaaa: Decode" in to_issue(good)
    assert "Resolved: nothing is worse" in to_issue(with_open(night(number(), count=4), good))


def test_an_alarm_that_a_night_judged_and_could_not_close_says_so() -> None:
    before = with_open(night(number("worse"), count=1), None)
    unclear = with_open(night(number("cannot tell"), count=2), before)
    told = "since night 20261128-aaaaaa; night 20261129-aaaaaa: cannot tell, -0.10%"
    assert told in to_markdown(unclear)
    assert told in to_issue(unclear)
    assert head_of(to_issue(unclear))["state"] == "open"


def test_what_is_acknowledged_is_not_told_as_mended() -> None:
    before = with_open(night(number("worse"), count=1), None)
    record = with_open(night(number("worse", cause="a [link]"), count=2), before)
    text, issue = to_markdown(record), to_issue(record)
    assert "## No longer worse" not in text
    assert "again -9.34%; acknowledged: a \\[link\\]" in text
    assert "resolved" not in issue
    assert "acknowledged in night 20261129-aaaaaa, and still worse: Decode, tiny int4 ort-genai" in issue
    assert head_of(issue)["state"] == "closed"
    later = to_issue(with_open(night(number("worse", cause="a link"), count=3), record))
    assert "Resolved: nothing is worse in night 20261130-aaaaaa but what is acknowledged." in later


def test_a_night_that_judged_nothing_resolves_nothing() -> None:
    issue = to_issue(with_open(night(number("missing"), number("skipped", series="b")), None))
    assert "Night 20261128-aaaaaa judged nothing: 1 missing, 1 skipped." in issue
    assert "Resolved" not in issue
    assert "Resolved" in to_issue(with_open(night(unchanged=2), None))


def test_the_issue_of_a_gate_that_cannot_bite_is_open() -> None:
    missed = night(number(), canaries=MISSED)
    assert issue_state(missed) == "open"
    assert "counts for nothing until it is found" in to_issue(missed)


def test_an_issue_of_a_gate_that_could_not_bite_stays_open_until_a_night_proves_it() -> None:
    missed = with_open(night(number(), count=1, canaries=MISSED), None)
    skipped = with_open(night(number(), count=2, canaries=SKIPPED), missed)
    proved = with_open(night(number(), count=3), skipped)
    assert [issue_state(one) for one in (missed, skipped, proved)] == ["open", "open", "closed"]
    told = "a known loss of speed was not found in night 20261128-aaaaaa, nor since"
    assert f"- {told}; what this gate says counts for nothing until it is found" in to_issue(skipped)
    assert "Resolved" not in to_issue(skipped)
    assert f"1 same; canary of speed skipped; {told}" in to_markdown(skipped)
    assert f"- {told}" in to_markdown(skipped)
    assert told not in to_issue(missed), "tonight's own canary says so"
    assert "Resolved: nothing is worse in night 20261130-aaaaaa." in to_issue(proved)


def test_a_night_whose_canary_was_skipped_resolves_nothing() -> None:
    issue = to_issue(with_open(night(number(), canaries=SKIPPED), None))
    told = (
        "Night 20261128-aaaaaa calls nothing worse, and did not prove that it could: 1 same; canary of speed skipped."
    )
    assert told in issue
    assert "Resolved" not in issue


def test_an_issue_of_a_large_sweep_is_one_that_can_be_written() -> None:
    many = [number("worse", series=f"s{place}", name=f"Decode {'x' * 300} {place}") for place in range(400)]
    text = to_issue(with_open(night(*many), None))
    assert len(text) < 65_536
    assert "- and 360 more" in text
    assert "`harness night --summary FILE` keeps it" in text
    wide = [number("worse", series=f"s{place}", name="<" * 3000) for place in range(40)]
    assert len(to_issue(with_open(night(*wide), None))) < 65_536


@pytest.mark.parametrize("name", ["a --> b", "a\nb", "--", "a ---> b"])
def test_no_name_ends_the_comment_that_the_title_stands_in(name: str) -> None:
    lines = to_issue(night(number(), sweep=name)).splitlines()
    assert lines[0].startswith("<!-- title: ")
    assert lines[0].endswith(" -->")
    assert lines[0].count("--") == 2
    assert lines[1] == "<!-- state: closed -->"
