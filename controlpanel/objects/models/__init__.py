"""One module per engine object."""

from controlpanel.objects.models.calls import Waiter
from controlpanel.objects.models.containers import Container
from controlpanel.objects.models.execs import Exec
from controlpanel.objects.models.images import Image, ImageReference
from controlpanel.objects.models.networks import Endpoint, Network
from controlpanel.objects.models.nodes import Node
from controlpanel.objects.models.projects import Project
from controlpanel.objects.models.volumes import Volume, VolumeUse

__all__ = [
    "Container",
    "Endpoint",
    "Exec",
    "Image",
    "ImageReference",
    "Network",
    "Node",
    "Project",
    "Volume",
    "VolumeUse",
    "Waiter",
]
