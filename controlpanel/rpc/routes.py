"""Which queue carries which operation. The web process knows names only; it imports no task."""

from __future__ import annotations

# Long or heavy on the disk: a load of ten minutes must never delay a stop.
TRANSFERS = frozenset(
    {
        "containers.archive_get",
        "containers.archive_put",
        "containers.changes",
        "containers.export",
        "containers.sizes",
        "images.import_",
        "images.load",
        "images.prune",
        "images.remove",
        "images.save",
        "system.df_sizes",
        "volumes.prune",
        "volumes.usage",
    }
)


def kind(operation: str) -> str:
    """``transfer`` or ``lifecycle``."""
    return "transfer" if operation in TRANSFERS else "lifecycle"
