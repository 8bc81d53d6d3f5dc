"""The root command. Modules of commands are loaded when one of their commands is used, so that starting is quick."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import NamedTuple, NoReturn

import click

from .client import Client
from .errors import ApiError, CliError, Unreachable

VERSION = "0.1.0"


class Place(NamedTuple):
    """Where a command is: module and attribute. ``help`` is shown without loading it."""

    module: str
    attribute: str
    help: str


COMMANDS = {
    "run": Place("run", "run", "Create and run a new container from an image"),
    "exec": Place("exec", "exec_", "Execute a command in a running container"),
    "ps": Place("ps", "ps", "List containers"),
    "pull": Place("transfer", "pull", "Download an image from a registry"),
    "push": Place("transfer", "push", "Upload an image to a registry"),
    "images": Place("images", "images", "List images"),
    "version": Place("system", "version", "Show the version information"),
    "info": Place("system", "info", "Display system-wide information"),
    "container": Place("groups", "container", "Manage containers"),
    "image": Place("groups", "image", "Manage images"),
    "network": Place("networks", "network", "Manage networks"),
    "system": Place("groups", "system", "Manage the engine"),
    "volume": Place("volumes", "volume", "Manage volumes"),
    "attach": Place(
        "attach", "attach", "Attach local standard input, output, and error streams to a running container"
    ),
    "commit": Place("transfer", "commit", "Create a new image from a container's changes"),
    "cp": Place("copy", "cp", "Copy files/folders between a container and the local filesystem"),
    "create": Place("run", "create", "Create a new container"),
    "diff": Place("files", "diff", "Inspect changes to files or directories on a container's filesystem"),
    "events": Place("events", "events", "Get real time events from the server"),
    "export": Place("files", "export", "Export a container's filesystem as a tar archive"),
    "history": Place("images", "history", "Show the history of an image"),
    "import": Place("transfer", "import_", "Import the contents from a tarball to create a filesystem image"),
    "inspect": Place("inspect", "inspect", "Return low-level information on Docker objects"),
    "kill": Place("lifecycle", "kill", "Kill one or more running containers"),
    "load": Place("transfer", "load", "Load an image from a tar archive or STDIN"),
    "logs": Place("logs", "logs", "Fetch the logs of a container"),
    "pause": Place("lifecycle", "pause", "Pause all processes within one or more containers"),
    "port": Place("files", "port", "List port mappings or a specific mapping for the container"),
    "rename": Place("lifecycle", "rename", "Rename a container"),
    "restart": Place("lifecycle", "restart", "Restart one or more containers"),
    "rm": Place("lifecycle", "rm", "Remove one or more containers"),
    "rmi": Place("images", "rmi", "Remove one or more images"),
    "save": Place("transfer", "save", "Save one or more images to a tar archive (streamed to STDOUT by default)"),
    "start": Place("attach", "start", "Start one or more stopped containers"),
    "stats": Place("stats", "stats", "Display a live stream of container(s) resource usage statistics"),
    "stop": Place("lifecycle", "stop", "Stop one or more running containers"),
    "tag": Place("images", "tag", "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE"),
    "top": Place("stats", "top", "Display the running processes of a container"),
    "unpause": Place("lifecycle", "unpause", "Unpause all processes within one or more containers"),
    "update": Place("update", "update", "Update configuration of one or more containers"),
    "wait": Place("lifecycle", "wait", "Block until one or more containers stop, then print their exit codes"),
}


def load(place: Place) -> click.Command:
    module = importlib.import_module(f"{__package__}.commands.{place.module}")
    command: click.Command = getattr(module, place.attribute)
    return command


class LazyGroup(click.Group):
    """A group whose commands are places, loaded on use."""

    def __init__(self, places: dict[str, Place], **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        self._places = places

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return load(self._places[cmd_name]) if cmd_name in self._places else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self._places and not args[0].startswith("-"):
            path = ctx.command_path
            text = f"{path.split()[0]}: unknown command: {path} {args[0]}"
            raise CliError(f"{text}\n\nRun '{path} --help' for more information")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, self._places[name].help) for name in sorted(self._places)])


@click.group(cls=LazyGroup, places=COMMANDS, name="muelle", context_settings={"help_option_names": ["--help"]})
@click.option("-H", "--host", help="Engine socket to connect to")
@click.option("-l", "--log-level", hidden=True)
@click.option("-D", "--debug", is_flag=True, hidden=True)
@click.version_option(VERSION, "-v", "--version", message="Muelle version %(version)s")
@click.pass_context
def root(context: click.Context, host: str | None, log_level: str | None, debug: bool) -> None:
    """A self-sufficient runtime for containers."""
    context.obj = Client(host)


def main() -> NoReturn:
    """Entry point: run the command that the arguments name and leave with its status."""
    sys.exit(_leave(sys.argv[1:]))


def _leave(arguments: list[str]) -> int:
    """Errors of run are told apart from the container's own by their prefix and the status 125."""
    running = "run" in arguments[:2]
    try:
        # Without standalone mode click returns the status of an Exit, and what the command returned otherwise: None.
        status = root.main(arguments, prog_name="muelle", standalone_mode=False)
        sys.stdout.flush()
        return status or 0
    except click.UsageError as error:
        sys.stderr.write(_usage(error))
        return 125
    except CliError as error:
        status = max(error.status, 125) if running and isinstance(error, (ApiError, Unreachable)) else error.status
        if running and status >= 125:
            sys.stderr.write(f"muelle: {error}\n\nRun 'muelle run --help' for more information\n")
        else:
            sys.stderr.write(f"{error}\n")
        return status
    except (KeyboardInterrupt, click.Abort):
        return 128 + signal.SIGINT
    except BrokenPipeError:
        # The reader of our output is gone; keep the interpreter from complaining about it at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE


def _usage(error: click.UsageError) -> str:
    text = error.format_message()
    if isinstance(error, click.NoSuchOption):
        name = error.option_name
        text = f"unknown flag: {name}" if name.startswith("--") else f"unknown shorthand flag: '{name[-1]}' in {name}"
    if error.ctx is None:
        return f"{text}\n"
    usage = error.ctx.command.get_usage(error.ctx).replace("Usage: ", "Usage:  ", 1)
    return f"{text}\n\n{usage}\n\nRun '{error.ctx.command_path} --help' for more information\n"
