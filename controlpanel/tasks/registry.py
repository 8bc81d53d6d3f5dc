"""Importing this module registers every task; a worker does so once, at its start."""

from controlpanel.tasks import leftovers, system, volumes
from controlpanel.tasks.containers import archives as container_archives
from controlpanel.tasks.containers import changing, create, ending, pausing, processes, pruning, sizing, start
from controlpanel.tasks.containers import removal as container_removal
from controlpanel.tasks.images import archives as image_archives
from controlpanel.tasks.images import naming
from controlpanel.tasks.images import removal as image_removal

MODULES = (
    container_archives,
    image_archives,
    changing,
    container_removal,
    create,
    ending,
    image_removal,
    leftovers,
    naming,
    pausing,
    processes,
    pruning,
    sizing,
    start,
    system,
    volumes,
)
