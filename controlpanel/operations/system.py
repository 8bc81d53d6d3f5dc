"""Operations on the node as a whole."""

from __future__ import annotations

from django.conf import settings

from controlpanel.contracts import system
from engine.networks import firewall


@system.ping.implement
def ping() -> bool:
    return True


@system.warnings.implement
def warnings() -> list[str]:
    return firewall.warnings(settings.MUELLE_LAYOUT)
