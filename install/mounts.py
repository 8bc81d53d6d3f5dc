"""A checkout that the unprivileged services can read wherever it lies.

A checkout below a closed home directory cannot be read by the user muelle. So those services start in a mount namespace
of their own, in which the checkout is bound read-only to ``$MUELLE_RUN/app``. The host's namespace sees no mount, and
the kernel removes it with the last process. The namespace is a slave: what the host unmounts does not stay busy here.
"""

from __future__ import annotations

from install.settings import CHECKOUT, Settings

SCRIPT = 'mount --bind -o ro,nosuid,nodev "$0" "$1" && cd "$1" && exec /bin/sh -c "$2"'


def in_private_checkout(settings: Settings, command: str) -> list[str]:
    """An argument vector that runs a shell command with ``$MUELLE_RUN/app`` as its directory; the process ID stays."""
    return [
        *("unshare", "--mount", "--propagation", "slave", "--"),
        *("/bin/sh", "-c", SCRIPT, str(CHECKOUT), str(settings.layout.application), command),
    ]
