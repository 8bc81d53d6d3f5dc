"""The shims that run: the end of one is known at once, also when it was killed and could not tell."""

from __future__ import annotations

import os
import selectors

from django.conf import settings

from engine.containers import runtime


class Shims:
    """Descriptors of shims (pidfd_open(2)) in the monitor's selector. For the monitor's own thread."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._pidfds: dict[str, int] = {}

    def watch(self, container_id: str) -> bool:
        """Watch the shim of a container that has just started, or may run. True when both have ended unheard."""
        self._forget(container_id)
        shim = runtime.open_shim(settings.MUELLE_LAYOUT, container_id)
        self._register(container_id, shim)
        return shim is None and self._has_ended(container_id)

    def ended(self, key: selectors.SelectorKey) -> str | None:
        """A shim has ended: names its container when that has ended too, and the shim has left no last word."""
        container_id: str = key.data
        self._forget(container_id)
        return container_id if self._has_ended(container_id) else None

    def _has_ended(self, container_id: str) -> bool:
        """The shim has; false when it has left word, or when the end of its container is still to come."""
        if runtime.exit_of(settings.MUELLE_LAYOUT, container_id):
            return False
        # The kernel is about to kill the container with its shim (PR_SET_PDEATHSIG).
        dying = runtime.open_process(settings.MUELLE_LAYOUT, container_id)
        self._register(container_id, dying)
        return dying is None

    def close(self) -> None:
        for container_id in list(self._pidfds):
            self._forget(container_id)

    def _register(self, container_id: str, pidfd: int | None) -> None:
        if pidfd is not None:
            self._pidfds[container_id] = pidfd
            self._selector.register(pidfd, selectors.EVENT_READ, container_id)

    def _forget(self, container_id: str) -> None:
        pidfd = self._pidfds.pop(container_id, None)
        if pidfd is not None:
            self._selector.unregister(pidfd)
            os.close(pidfd)
