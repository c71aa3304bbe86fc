"""The worker: `python -m harness.worker ENVIRONMENT --folders FILE` runs the jobs of the run folders that a file lists, in order.

It needs nobody: a runner, a scheduler or a person at a shell starts it alike. Its standard input is empty, so that a library that asks there
gets the end of the file at once. While a job runs, its run folder holds a heartbeat; what it answers is kept there, too.

Answers are JSON lines on the original standard output: `ready`, `begin`, `progress`, `done`, and, from `--describe`,
the environment. Where that is a pipe and its reader is gone, the worker ends at once with all that it started. Everything that a job or
its libraries print goes to the run folder's log.txt.
"""

from __future__ import annotations

ARTIFACTS = "artifacts"
"""Folder of results in which sealed artifacts lie."""
JOB, OUTCOME, LOG, LOCK = "job.json", "outcome.json", "log.txt", "lock"
FOLDERS = "folders.jsonl"
"""In the first run folder of a batch: the run folders that one worker serves, a path as a JSON string on each line."""
HEARTBEAT, ANSWERS = "heartbeat", "answers.jsonl"
"""In the run folder: a number that rises while the job runs and goes with its end, and what was answered about it."""
WITH_PARENT = "--with-parent"
"""Word for a worker of a queue folder that ends when its standard input does."""
DESCRIBED = "HARNESS_ENVIRONMENT"
"""Variable that names a file with the description of this environment."""
ALONE = "--folder"
"""Word behind which stands the one run folder of a worker that another one started."""
