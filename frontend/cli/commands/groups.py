"""The groups whose commands are mostly those of the root: container, image and system."""

from __future__ import annotations

from frontend.cli.main import COMMANDS, LazyGroup, Place

_CONTAINER = (
    "attach", "commit", "cp", "create", "diff", "exec", "export", "kill", "logs", "pause", "port", "rename", "restart",
    "rm", "run", "start", "stats", "stop", "top", "unpause", "update", "wait",
)  # fmt: skip
_IMAGE = ("history", "import", "load", "pull", "push", "save", "tag")

container = LazyGroup(
    {
        **{name: COMMANDS[name] for name in _CONTAINER},
        **dict.fromkeys(("ls", "list", "ps"), COMMANDS["ps"]),
        "inspect": Place("inspect", "container_inspect", "Display detailed information on one or more containers"),
        "prune": Place("prune", "containers", "Remove all stopped containers"),
    },
    name="container",
    help="Manage containers",
)
image = LazyGroup(
    {
        **{name: COMMANDS[name] for name in _IMAGE},
        **dict.fromkeys(("ls", "list"), COMMANDS["images"]),
        "rm": COMMANDS["rmi"],
        "inspect": Place("inspect", "image_inspect", "Display detailed information on one or more images"),
        "prune": Place("prune", "images", "Remove unused images"),
    },
    name="image",
    help="Manage images",
)
system = LazyGroup(
    {
        "df": Place("system", "df", "Show disk usage"),
        "events": COMMANDS["events"],
        "info": COMMANDS["info"],
        "prune": Place("prune", "system", "Remove unused data"),
    },
    name="system",
    help="Manage the engine",
)
