"""Which commit a branch of the hub was when a workspace first asked: `models.lock`, beside models.yaml, one line a model.

A branch moves, and numbers of two of its commits are not of one model. So the commit is looked up once, kept, and taken from then on;
that the branch has moved since is told and not followed. Source of the address: the hub's documentation of its API.
"""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path

from harness.core.files import write_whole
from harness.hub_data import cache as hub_cache
from harness.plan.entries import Model, moving
from harness.plan.hub import hub_reachable
from harness.plan.models_lock import COMMIT, FILE, Key, read_lock

HEAD = """\
# Commits of the hub's branches, as they were when they were first asked for: HUB-ID BRANCH COMMIT. Written by `harness plan` and `harness run`;
# take a line out to follow the branch again.
"""
_TIMEOUT_SECONDS = 5.0


def lock_models(
    models: Iterable[Model],
    folder: Path,
    say: Callable[[str], None],
    ask: Callable[[str, str], str | None] | None = None,
) -> bool:
    """Look up the commits of branches that are not locked yet, and tell of those that have moved since they were.

    Tells whether the lock has more now.

    models: as their files say them, before a lock is applied. What the hub does not answer is taken from its local cache, where it is
    there, else left for another time; so is what cannot be written.
    """
    wanted = {key: model.name for model in models if (key := moving(model.said or model.entry)) is not None}
    if not wanted:
        return False
    known = read_lock(folder)
    look = ask or (sha_of if hub_reachable() else lambda _hub, _branch: None)
    new: dict[Key, str] = {}
    for (hub, branch), name in wanted.items():
        there = look(hub, branch)
        locked = known.get((hub, branch))
        if locked and there and there != locked:
            say(
                f"model {name}: {branch} of {hub} has moved to {there[:12]}; {FILE} keeps {locked[:12]}, take its line out to follow"
            )
        if not locked and (commit := there or _cached(hub, branch)):
            new[hub, branch] = commit
            say(f"model {name}: {branch} of {hub} is {commit[:12]}, kept in {FILE}")
    if new:
        lines = [f"{hub} {branch} {commit}\n" for (hub, branch), commit in sorted({**known, **new}.items())]
        try:
            write_whole(folder / FILE, HEAD + "".join(lines))
        except OSError as error:
            say(f"{folder / FILE} cannot be written ({error.strerror}); the branches are looked up again the next time")
            return False
    return bool(new)


def sha_of(hub: str, branch: str) -> str | None:
    """Ask the hub for a branch's commit; None where it does not say."""
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    request = urllib.request.Request(f"{endpoint}/api/models/{hub}/revision/{urllib.parse.quote(branch, safe='')}")  # noqa: S310 - the hub's address
    token = os.environ.get("HF_TOKEN")
    if token and request.type == "https":  # not over an open line, and not to where the hub sends us on
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - the hub's address
            said = json.load(answer)
    except (OSError, ValueError, http.client.HTTPException):
        return None
    commit = said.get("sha") if isinstance(said, dict) else None
    return commit if isinstance(commit, str) and COMMIT.fullmatch(commit) else None


def _cached(hub: str, branch: str) -> str | None:
    """Read which commit of a branch lies in the local hub cache."""
    reference = hub_cache() / f"models--{hub.replace('/', '--')}" / "refs" / branch
    commit = reference.read_text("utf-8").strip() if reference.is_file() else ""
    return commit if COMMIT.fullmatch(commit) else None
