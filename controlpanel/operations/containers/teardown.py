"""The end of a run, whatever ended it: what it held goes, in the kernel and in the database."""

from __future__ import annotations

from typing import NamedTuple

from django.conf import settings

from controlpanel.objects.models import Container, Endpoint
from controlpanel.operations import networks
from engine.containers import container as engine_container
from engine.networks.endpoint import EndpointPlan


class Held(NamedTuple):
    """The endpoints that a run had, and as what the engine knows them."""

    rows: list[Endpoint]
    plans: tuple[EndpointPlan, ...]


def tear_down(container: Container) -> Held:
    """Repeating it is fine. An interface in a namespace that somebody shares is left to the caller."""
    rows = networks.endpoints_of(container)
    plans = networks.plans_of(container, rows)
    engine_container.tear_down(settings.MUELLE_LAYOUT, container.id, plans)
    networks.free(rows)
    return Held(rows, plans)
