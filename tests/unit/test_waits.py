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
READS = {"os.read", "stdin.read", "stdin.readline", "stdout.read", "stdout.readline", "stderr.read", "stderr.readline"}
"""They wait for whoever holds the other end: last two parts of a name; also `sys.stdin.read` and `self.child.stdout.readline`."""
STREAMS = {"stdin", "stdout", "stderr", "stream"}
"""Going over one of these line by line waits as a read does."""
LEAVING = {"ThreadPoolExecutor", "ProcessPoolExecutor", "Popen"}
"""`with` one of these waits at its end."""
BARE = {"join", "get", "result"}
"""They wait only where nothing is given: `', '.join(words)` and `facts.get(name)` do not."""
ENDS = {
    "worker/children.py os.waitpid": "a child that builds; the job's limit ends it with the worker, whose group it is in",
    "worker/children.py subprocess.run": "a build that begins anew; the job's limit ends it with the worker, whose group it is in",
    "bundling/stages.py subprocess.run": "a step that a person watches, who ends it; its output is the terminal's",
    "programs.py subprocess.run": "it runs in a worker, which the runner kills at the job's time limit with all that it started",
    "executors/process.py process.wait": "a queue's worker has no end by itself; it ends with us",
    "executors/local.py process.wait": "a thread of its own; who asks for events has the job's limit, and kills",
    "runner/cleaning.py lock.acquire": "its lock is made with a timeout of none, a line above",
    "runner/opened.py lock.acquire": "its lock is made with a timeout, a few lines above",
    "runner/results_lock.py lock.acquire": "its lock is made with a timeout of none, a line above",
    "worker/__main__.py os.read": "a thread of its own, for the parent's end: with it the worker is told to end, and with the worker it ends",
    "process_memory.py sys.stdin.read": "a thread of its own in the child that samples: its input ends with its parent, and with it the child",
    "process_memory.py self.child.stdout.readline": "a thread of its own, waited for FIRST_SAMPLE_SECONDS; then the child is killed",
    "executors/local.py for process.stdout": "a thread of its own; who asks for events has the job's limit, and kills, which ends the stream",
    "executors/local.py for stream": "a thread of its own for last words; the listener waits 5 s for it",
    "worker/queue_process.py for stream": "a thread of its own; the process has its jobs' limits, and is killed, then the thread is waited for KILLED_SECONDS",
    "executors/process.py with subprocess.Popen": "a queue's worker has no end by itself; it ends with us, and with Ctrl-C",
    "installing.py with ThreadPoolExecutor": "each of its threads runs an installer that has INSTALL_SECONDS",
    "worker/fresh_process.py sys.stdin.read": "its input is written and closed by `subprocess.run`, which has a limit",
    "probes/copying.py with ThreadPoolExecutor": "its threads copy so many bytes and end; the process that they are in has a limit",
    "worker/machine_lock.py FileLock": "each acquire of it has a timeout, and says between two that it waits",
}


def _unlimited(tree: ast.AST) -> list[str]:
    """Name the calls that wait and say no `timeout`."""
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call) and _waits(node)]


def _reading(tree: ast.AST) -> list[str]:
    """Name what reads from another process, and what waits for one, or for threads, where a `with` is left."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and ".".join(ast.unparse(node).split(".")[-2:]) in READS:
            found.append(ast.unparse(node))
        elif isinstance(node, ast.For | ast.comprehension) and ast.unparse(node.iter).split(".")[-1] in STREAMS:
            found.append(f"for {ast.unparse(node.iter)}")
        elif isinstance(node, ast.With):
            called = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
            names = [ast.unparse(call.func) for call in called]
            found += [f"with {name}" for name in names if name.rpartition(".")[2] in LEAVING]
    return found


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
        tree = ast.parse(path.read_text("utf-8"))
        for call in (*_unlimited(tree), *_reading(tree)):
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


@pytest.mark.parametrize(
    ("code", "waits"),
    [
        ("os.read(0, 1)", True), ("sys.stdin.read()", True), ("Thread(target=child.stdout.readline)", True), ("path.read()", False),
        ("for line in process.stdout: pass", True), ("[line for line in sys.stdin]", True), ("for line in lines: pass", False),
        ("for line in ran.stdout.splitlines(): pass", False), ("with ThreadPoolExecutor(2) as pool: pass", True),
        ("with subprocess.Popen(words) as process: pass", True), ("with open(path) as file: pass", False), ("process = Popen(words)", False),
    ],
)  # fmt: skip
def test_the_search_knows_reads_and_what_waits_where_it_is_left(code: str, waits: bool) -> None:
    assert bool(_reading(ast.parse(code))) == waits
