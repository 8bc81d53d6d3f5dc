"""How much disk containers use."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings

from controlpanel.objects.models import Container, Image
from controlpanel.rpc.worker import operation


@operation("containers.sizes")
def sizes(ids: list[str]) -> dict[str, dict[str, int]]:
    """``{id: {"rw", "rootfs"}}`` in bytes; a container that has gone is left out."""
    rows = dict(Container.objects.filter(pk__in=ids).values_list("id", "image_id"))
    images = Image.objects.filter(node_id=settings.MUELLE_NODE, image_id__in=set(rows.values()))
    layers = dict(images.values_list("image_id", "size"))
    answer = {}
    for container_id, image_id in rows.items():
        own = written(container_id)
        answer[container_id] = {"rw": own, "rootfs": own + layers.get(image_id, 0)}
    return answer


def written(container_id: str) -> int:
    """Bytes that a container has written over its image; one that never ran has nothing."""
    upper = settings.MUELLE_LAYOUT.container(container_id) / "upper"
    try:
        return tree_size(upper)
    except FileNotFoundError:
        return 0


def tree_size(root: Path) -> int:
    """Apparent bytes of the regular files in a tree, hard links once; what vanishes meanwhile does not count."""
    total, seen = 0, set()
    for _, _, files, directory in os.fwalk(root, onerror=None, follow_symlinks=False):
        for name in files:
            try:
                found = os.stat(name, dir_fd=directory, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if found.st_nlink == 1 or found.st_ino not in seen:
                seen.add(found.st_ino)
                total += found.st_size
    return total
