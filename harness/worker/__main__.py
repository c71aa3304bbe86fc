"""Command line of the worker: see `harness.worker`."""

from __future__ import annotations

import time

_ENTERED = time.monotonic()

import json  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
import threading  # noqa: E402
from contextlib import suppress  # noqa: E402
from functools import partial  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import NoReturn  # noqa: E402

import filelock  # noqa: E402, F401
from pydantic import AwareDatetime, BaseModel, Field, ValidationError  # noqa: E402, F401 - it loads what is named

_IMPORTED = time.monotonic()

from harness.core import privacy  # noqa: E402
from harness.core.clock import Spans  # noqa: E402
from harness.core.files import disk_trouble  # noqa: E402
from harness.worker import ALONE, WITH_PARENT  # noqa: E402
from harness.worker.answers import Answers  # noqa: E402
from harness.worker.children import anew, how_made, in_child  # noqa: E402
from harness.worker.describing import environment_here  # noqa: E402
from harness.worker.server import Server  # noqa: E402


def main() -> None:
    """Serve the jobs of a file of run folders, or describe this environment."""
    if privacy.is_offline():
        privacy.forbid_sockets()
    answers = Answers(os.fdopen(os.dup(1), "w", encoding="utf-8"))
    if len(sys.argv) > 1 and sys.argv[1] == "--describe":
        answers.say(environment=environment_here(sys.argv[2] if len(sys.argv) > 2 else "").model_dump(mode="json"))
        return
    if "--queue" in sys.argv:
        _serve_queue(sys.argv[1:])
        return
    name, folders = _asked(sys.argv[1:])
    _empty_standard_input()
    threading.Thread(target=answers.end_with_reader, daemon=True).start()
    if sys.argv[2] == ALONE:  # for another worker, which has said the rest
        _serve(Server(answers, name), folders[0])
        os._exit(0)
    answers.say(ready=True, entered=_ENTERED, imported=_IMPORTED, now=time.monotonic())
    server, spans = Server(answers, name), Spans()
    how = how_made(folders, spans)
    answers.say(shared=spans.seconds)
    for folder in folders:
        if how == "copied":
            in_child(partial(_serve, server, folder))
        elif how == "anew":
            anew(name, folder)
        elif not _serve(server, folder):
            answers.say(closed=0.0)
            os._exit(0)
    begun = time.monotonic()
    server.close()
    answers.say(closed=time.monotonic() - begun)
    # Libraries take up to a second to tear down what the end of the process frees anyway; all files are closed.
    os._exit(0)


def _serve(server: Server, folder: Path) -> bool:
    """Run a folder's job; says whether those behind it may follow in this process."""
    try:
        return server.serve(folder)
    except OSError as error:
        _give_up(folder, error)


def _give_up(folder: Path, error: OSError) -> NoReturn:
    """Die of a run folder that cannot be written, with words that the runner passes on: it answers for us."""
    sys.stderr.write(f"run folder {folder.name} cannot be written: {disk_trouble(error) or error}\n")
    sys.stderr.flush()
    os._exit(4)


def _serve_queue(words: list[str]) -> None:
    """Serve `ENVIRONMENT --queue DIR [--exit-when-idle]`: no runner, a shared folder alone."""
    from harness.core.errors import HarnessError
    from harness.worker.queue_folder import serve_queue

    idle = "--exit-when-idle" in words
    left = [word for word in words if word not in {"--exit-when-idle", WITH_PARENT}]
    if WITH_PARENT in words:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    if len(left) != 3 or left[1] != "--queue":
        sys.exit("type: python -m harness.worker ENVIRONMENT --queue DIR [--exit-when-idle]")
    try:
        served = serve_queue(Path(left[2]), left[0], exit_when_idle=idle)
    except HarnessError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(2)
    print(served.said, flush=True)
    sys.exit(served.code)


def _end_with_parent() -> None:
    """Wait for the end of standard input, which whoever started us holds open while it lives; then we are told to end."""
    with suppress(OSError):
        while os.read(0, 4096):
            pass
    os.kill(os.getpid(), signal.SIGTERM)


def _asked(words: list[str]) -> tuple[str, list[Path]]:
    """Read the name of the environment and the run folders of the file. Exits with the reason where they are not given."""
    if len(words) == 3 and words[1] == ALONE:
        return words[0], [Path(words[2])]
    if len(words) != 3 or words[1] != "--folders":
        sys.exit("type: python -m harness.worker ENVIRONMENT --folders FILE (a file with one run folder a line)")
    return words[0], _listed(Path(words[2]))


def _empty_standard_input() -> None:
    """Leave an empty standard input, which children inherit, whatever a person or a scheduler gave us."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it stays open as long as the process


def _listed(file: Path) -> list[Path]:
    """Read the run folders of a file. Exits with the reason where it cannot be read."""
    try:
        return [_folder(line) for line in file.read_text("utf-8").split("\n") if line.strip()]
    except (OSError, ValueError) as error:
        sys.exit(f"{file} cannot be read ({error}); name a file with one run folder a line")


def _folder(line: str) -> Path:
    """Read a run folder: a path, or one as a JSON string, in which a path may hold anything."""
    return Path(json.loads(line) if line.startswith('"') else line.strip()).absolute()


if __name__ == "__main__":
    main()
