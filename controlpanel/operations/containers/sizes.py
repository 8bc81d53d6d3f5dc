"""How much disk containers use."""

from __future__ import annotations

from django.conf import settings

from controlpanel.contracts import containers
from controlpanel.contracts.containers import Sizes
from controlpanel.objects.models import Container, Image
from engine.containers import container


@containers.sizes.implement
def sizes(container_ids: list[str]) -> dict[str, Sizes]:
    here = Container.objects.filter(node_id=settings.MUELLE_NODE, pk__in=container_ids)
    rows = dict(here.values_list("id", "image_id"))
    images = Image.objects.filter(node_id=settings.MUELLE_NODE, image_id__in=set(rows.values()))
    layers = dict(images.values_list("image_id", "size"))
    answer: dict[str, Sizes] = {}
    for container_id, image_id in rows.items():
        own = container.written(settings.MUELLE_LAYOUT, container_id)
        answer[container_id] = {"rw": own, "rootfs": own + layers.get(image_id, 0)}
    return answer
