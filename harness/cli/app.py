"""The application that verbs are added to, and the options that several of them share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.commands.verbs import Verbs
from harness.core.errors import HarnessError

if TYPE_CHECKING:
    from harness.commands.workspace import Workspace

app = typer.Typer(
    cls=Verbs,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Quantize and measure language models as sweeps say, and print tables of the results.",
    epilog="Exit codes: 0 all ok, 1 some job failed, 2 invalid input, or nothing that this machine can run, "
    "130 interrupted by Ctrl-C (run the same command again to continue).",
)


ResultsOption = Annotated[
    Path | None,
    typer.Option("--results", help="Folder of database, run folders and artifacts; the workspace's own by default."),
]


ConfigsOption = Annotated[
    Path | None,
    typer.Option("--configs", help="Folder of catalogues and sweeps in place of the workspace's and the shipped ones."),
]


ExecutorOption = Annotated[
    str | None,
    typer.Option("--executor", help="What runs the jobs: local, or folder=DIR, whose workers `harness worker` starts."),
]


OfflineOption = Annotated[
    bool, typer.Option("--offline", help="Open no network connection: what is not on this machine is not fetched.")
]


SweepArgument = Annotated[str, typer.Argument(help="Name below configs/sweeps, or a path.")]


@app.callback()
def workspace(
    context: typer.Context,
    workspace: Annotated[
        Path | None,
        typer.Option("--workspace", help="Folder with a harness.yaml; found from where one stands upwards by default."),
    ] = None,
) -> None:
    """Quantize and measure language models as sweeps say, and print tables of the results."""
    context.obj = workspace


def workspace_of(context: typer.Context, results: Path | None = None, configs: Path | None = None) -> Workspace:
    """Find the command's workspace. Raises: HarnessError where there is none."""
    from harness.commands.workspace import here, settle_in

    found = here(context.obj, results, configs)
    settle_in(found)
    return found


def network(*, offline: bool) -> None:
    """Do without the network from here on where that was asked for, by the option or by a command around this one."""
    from harness.core import privacy

    if offline or privacy.is_offline():
        privacy.go_offline()


def pairs(option: str, given: list[str] | None) -> dict[str, str]:
    """Read TEXT=WHAT of an option that may be given again. Raises: HarnessError for one without both."""
    pairs = {text: what for one in given or [] for text, _, what in (one.rpartition("="),)}
    if not all(text and what for text, what in pairs.items()):
        raise HarnessError(f"{option} takes TEXT=WHAT, as {option} 'INT4 (ours)=int4_rtn'")
    return pairs
