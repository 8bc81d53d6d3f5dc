"""Operations on the node as a whole."""

from __future__ import annotations

from django.conf import settings

from controlpanel.operations.images import library
from controlpanel.rpc.worker import operation
from engine.networks import firewall


@operation("system.ping")
def ping() -> bool:
    """A worker is there and answers."""
    return True


@operation("system.warnings")
def warnings() -> list[str]:
    """What on this host keeps containers from working as they should, for ``docker info``."""
    return firewall.warnings(settings.MUELLE_LAYOUT)


@operation("system.df_sizes")
def df_sizes() -> dict[str, int]:
    """Bytes of each unpacked layer by its chain id; layers that images share count once."""
    return library.store().layer_sizes()
