"""The shims that run: the end of one is known at once, also when it was killed and could not tell."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
from typing import NamedTuple

from django.conf import settings

from engine.containers import runtime
from engine.containers.runtime import State


class Watched(NamedTuple):
    """What goes with a descriptor in the selector: one run of a container."""

    container_id: str
    run: State


class Shims:
    """Descriptors of shims (pidfd_open(2)) in the monitor's selector. For the monitor's own thread."""

    def __init__(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        self._keys: dict[str, selectors.SelectorKey] = {}

    def watch(self, container_id: str) -> bool:
        """Watch the shim of a container that has just started, or may run. True when both have ended unheard."""
        self._forget(container_id)
        run = runtime.state(settings.MUELLE_LAYOUT, container_id)
        if run is None:
            return not self._has_told(container_id)
        watched = Watched(container_id, run)
        return not (self._register(watched, of_shim=True) or self._has_told(container_id) or self._is_dying(watched))

    def heard(self, container_id: str) -> None:
        """Its shim has told how it ended: nothing more is to come from it."""
        if self._has_told(container_id):
            self._forget(container_id)

    def ended(self, key: selectors.SelectorKey) -> str | None:
        """A process that was watched has ended: names its container when that has ended too, which nobody has heard."""
        watched: Watched = key.data
        if self._keys.get(watched.container_id) is not key:
            return None  # another run is watched since
        self._forget(watched.container_id)
        return None if self._is_dying(watched) else watched.container_id

    def close(self) -> None:
        for container_id in list(self._keys):
            self._forget(container_id)

    def _is_dying(self, watched: Watched) -> bool:
        """Whether a container without a shim is still to end: then that is watched."""
        if not self._register(watched, of_shim=False):
            return False
        # The kernel does so too (PR_SET_PDEATHSIG), but not to a command that gained rights when it was executed.
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._keys[watched.container_id].fd, signal.SIGKILL)
        return True

    def _has_told(self, container_id: str) -> bool:
        return runtime.exit_of(settings.MUELLE_LAYOUT, container_id) is not None

    def _register(self, watched: Watched, *, of_shim: bool) -> bool:
        """Watch a process, unless it has ended."""
        pidfd = runtime.open_shim(watched.run) if of_shim else runtime.open_process(watched.run)
        if pidfd is None:
            return False
        self._keys[watched.container_id] = self._selector.register(pidfd, selectors.EVENT_READ, watched)
        return True

    def _forget(self, container_id: str) -> None:
        key = self._keys.pop(container_id, None)
        if key is not None:
            self._selector.unregister(key.fd)
            os.close(key.fd)
