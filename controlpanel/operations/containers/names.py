"""Names for containers that were given none, and Docker's answer to a name that is taken."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from controlpanel.objects.models import Container
from engine.errors import Conflict

if TYPE_CHECKING:
    from django.db.models import QuerySet

# Our own words: what things on a quay are like, and what one sees there.
_QUALITIES = """
amber ample brisk calm clear crisp deft eager fair fine fond gentle glad grand handy hardy jolly keen kind light lively
lucid mellow merry mild neat nimble patient plain polite proud quick quiet rapid ready serene sharp silent sleek smooth
snug solid sound spry steady sunny swift tidy trim true vivid warm wise witty
"""
_THINGS = """
anchor barge beacon bollard bosun bowline breeze brig buoy canal cargo clipper coaster compass coral crane cutter
current davit dinghy dock dolphin ferry fender gannet gull halyard harbor hawser heron jetty kayak keel ketch lagoon
lantern lighter mast mole mooring otter packet pelican pier pilot porter quay reef rudder sail schooner sextant shoal
skiff sloop spar tern tide tiller trawler tug wharf windlass winch yawl
"""
QUALITIES, THINGS = tuple(_QUALITIES.split()), tuple(_THINGS.split())


def invent() -> str:
    """A random name such as ``brisk_heron``; the caller tries again when it is taken."""
    return f"{random.choice(QUALITIES)}_{random.choice(THINGS)}"  # a name is no secret


def invent_longer() -> str:
    """For a crowded quay: a number makes a clash unlikely."""
    return f"{invent()}{random.randrange(10_000)}"


def namesakes(container: Container, name: str) -> QuerySet[Container]:
    """The containers of the same node and project that have this name: one or none."""
    return Container.objects.filter(node_id=container.node_id, project_id=container.project_id, name=name)


def conflict(container: Container, name: str) -> Conflict:
    """Docker's text, with the ID of the container that holds the name now."""
    holder = namesakes(container, name).values_list("id", flat=True).first() or ""
    return Conflict(
        f'Conflict. The container name "/{name}" is already in use by container "{holder}". '
        "You have to remove (or rename) that container to be able to reuse that name."
    )
