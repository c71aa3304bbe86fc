"""Every call in the code that waits for something has a limit, or a reason here why what it waits for ends."""

from __future__ import annotations

import ast

import pytest

from tests.conftest import ROOT

NAMED = {
    "run",
    "check_call",
    "check_output",
    "communicate",
    "wait",
    "urlopen",
    "FileLock",
    "acquire",
    "flock",
    "locking",
    "waitpid",
}
BARE = {"join", "get", "result"}
"""They wait only where nothing is given: `', '.join(words)` and `facts.get(name)` do not."""
ENDS = {
    "worker/children.py os.waitpid": "a child that builds; the job's limit ends it with the worker, whose group it is in",
    "worker/children.py subprocess.run": "a build that begins anew; the job's limit ends it with the worker, whose group it is in",
    "bundling/stages.py subprocess.run": "a step that a person watches, who ends it; its output is the terminal's",
    "programs.py subprocess.run": "it runs in a worker, which the runner kills at the job's time limit with all that it started",
    "executors/process.py process.wait": "a queue's worker has no end by itself; it ends with us",
    "executors/local.py process.wait": "a thread of its own; who asks for events has the job's limit, and kills",
    "runner/opened.py lock.acquire": "its lock is made with a timeout, a few lines above",
    "worker/machine_lock.py FileLock": "each acquire of it has a timeout, and says between two that it waits",
}


def _unlimited(tree: ast.AST) -> list[str]:
    """Name the calls that wait and say no `timeout`."""
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call) and _waits(node)]


def _waits(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if any(word.arg in {"timeout", "blocking"} for word in call.keywords):
        return False
    if name in BARE:
        return isinstance(call.func, ast.Attribute) and not call.args and not call.keywords
    if name in {"run", "check_call", "check_output"}:
        return ast.unparse(call.func).startswith("subprocess.")
    tries = {"LOCK_NB", "LK_NBLCK"} & {node.attr for node in ast.walk(call) if isinstance(node, ast.Attribute)}
    return name in NAMED and not tries and not (name == "wait" and call.args)


def test_every_wait_has_a_limit_or_a_reason() -> None:
    found = set()
    for path in sorted((ROOT / "harness").rglob("*.py")):
        for call in _unlimited(ast.parse(path.read_text("utf-8"))):
            found.add(f"{path.relative_to(ROOT / 'harness').as_posix()} {call}")
    assert found == set(ENDS)


@pytest.mark.parametrize(
    ("code", "waits"),
    [
        ("thread.join()", True), ("thread.join(timeout=3)", False), ("', '.join(words)", False), ("os.path.join(a, b)", False),
        ("process.wait()", True), ("process.wait(3)", False), ("subprocess.run(words)", True), ("runner.run(words)", False),
        ("subprocess.run(words, timeout=3)", False), ("FileLock(path)", True), ("filelock.FileLock(path, timeout=0)", False),
        ("urllib.request.urlopen(url)", True), ("lock.acquire()", True), ("queue.get()", True), ("facts.get('a')", False),
        ("child.communicate()", True), ("future.result()", True), ("queue.get(timeout=1)", False),
        ("fcntl.flock(file, fcntl.LOCK_EX)", True), ("fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)", False),
    ],
)  # fmt: skip
def test_the_search_tells_waits_from_what_is_called_alike(code: str, waits: bool) -> None:
    assert bool(_unlimited(ast.parse(code))) == waits
