"""Run inside the virtual environment: migrate, and make the first administrator. Prints ``{"created": bool}`` last."""

from __future__ import annotations

import json
import os
import sys

import django


def main(name: str) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlpanel.settings")
    django.setup()
    # Both need the settings, so they come after setup.
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    call_command("migrate", interactive=False, verbosity=0)
    users = get_user_model()._default_manager
    created = not users.filter(is_superuser=True).exists()
    if created:
        users.create_superuser(name, "", os.environ["MUELLE_ADMIN_PASSWORD"])
    print(json.dumps({"created": created}))


if __name__ == "__main__":
    main(sys.argv[1])
