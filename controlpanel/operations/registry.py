"""Importing this module registers every operation and what a worker does at its start; a worker imports it once."""

from controlpanel.operations import system, volumes
from controlpanel.operations.containers import archive, create, pause, prune, sizes, start, stop, top, update
from controlpanel.operations.containers import remove as container_removal
from controlpanel.operations.images import archives, tag
from controlpanel.operations.images import remove as image_removal
from controlpanel.operations.images import sizes as image_sizes
from controlpanel.rpc import orphans

MODULES = (
    archive,
    archives,
    container_removal,
    create,
    image_removal,
    image_sizes,
    orphans,
    pause,
    prune,
    sizes,
    start,
    stop,
    system,
    tag,
    top,
    update,
    volumes,
)
