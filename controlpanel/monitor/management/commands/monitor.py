"""``manage.py monitor``: the process that watches this node's containers."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from controlpanel.monitor.loop import main


class Command(BaseCommand):
    # The checks import every URL and view; the monitor needs none of them and must start whatever state they are in.
    requires_system_checks: list[str] = []
    help = "Watch this node's containers: exits, restart policies, repair."

    def handle(self, *args: Any, **options: Any) -> None:
        main()
