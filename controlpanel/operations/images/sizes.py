"""How much disk images take."""

from __future__ import annotations

from controlpanel.contracts import images
from controlpanel.operations.images import library


@images.layer_sizes.implement
def layer_sizes() -> dict[str, int]:
    return library.store().layer_sizes()
