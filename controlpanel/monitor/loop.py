"""The monitor's loop: notices in, work out to a few threads, one piece of work per container at a time."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import os
import resource
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any

import orjson
from django.conf import settings
from django.db import close_old_connections

from controlpanel.monitor import boot, notices
from controlpanel.monitor.reconciler import Reconciler
from controlpanel.monitor.shims import Shims
from controlpanel.objects import events
from controlpanel.objects.states import Status
from controlpanel.operations import volumes
from controlpanel.operations.images import library
from controlpanel.operations.notices import EXITED, LOOK, OOM, STARTED

THREADS = 4
OVERDUE_SECONDS = 2.0
# Notices and the ends of shims tell all there is to know: this finds what both of them lost.
RESYNC_SECONDS = 30.0
ANNOUNCE_SECONDS = 0.1
# A client asks how its exec ended as soon as it has, and its shim tells. The record can wait until that is answered.
RECORD_SECONDS = 0.03
TIDY_SECONDS = 300.0
MAX_NOTICE = 64 * 1024

logger = logging.getLogger(__name__)

Work = Callable[[], object]


class Monitor:
    """Made in the main thread. ``run`` returns after SIGTERM or SIGINT, or ``stop``."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="monitor")
        self._timers: list[tuple[float, int, Work]] = []
        self._counter = itertools.count()
        self._busy: dict[str, bool] = {}
        self._announced: set[str] = set()
        self._lock = threading.Lock()
        self._stopped = False
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_writer.setblocking(False)
        self._notices = _bind()
        self._selector = selectors.DefaultSelector()
        self._shims = Shims(self._selector)
        self.reconciler = Reconciler(self.later)

    def run(self) -> None:
        """Bring the database up to date, then serve notices and timers."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._close)
            self._selector.register(self._notices, selectors.EVENT_READ)
            self._selector.register(self._wake_reader, selectors.EVENT_READ)
            self._boot()
            self.later(OVERDUE_SECONDS, self._pursue)
            self.later(RESYNC_SECONDS, self._resync)
            self.later(TIDY_SECONDS, self._tidy)
            while not self._stopped:
                for key, _ in self._selector.select(self._run_timers()):
                    _guard(partial(self._serve, key))

    def _serve(self, key: selectors.SelectorKey) -> None:
        if key.fileobj is self._notices:
            self._read_notices()
        elif key.fileobj is self._wake_reader:
            self._wake_reader.recv(4096)
        elif ended := self._shims.ended(key):
            self._look_at_unheard(ended)

    def stop(self, *_: object) -> None:
        self._stopped = True
        self._wake()

    def later(self, seconds: float, work: Work) -> None:
        """Run ``work`` on a thread after ``seconds``; any thread may ask."""
        with self._lock:
            heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._counter), work))
        self._wake()

    def look(self, container_id: str) -> None:
        """Have a thread look at a container. A request that comes while one looks makes it look once more."""
        with self._lock:
            if container_id in self._busy:
                self._busy[container_id] = True
                return
            self._busy[container_id] = False
        self._submit(lambda: self._look(container_id))

    def _look(self, container_id: str) -> None:
        while True:
            _guard(lambda: self.reconciler.look(container_id))
            with self._lock:
                if not self._busy[container_id]:
                    del self._busy[container_id]
                    return
                self._busy[container_id] = False

    def _boot(self) -> None:
        rebooted = boot.first_since_reboot()
        for container_id in boot.unsettled():
            _guard(partial(self._shims.watch, container_id))
            self.look(container_id)
        self._submit(boot.restore_network)
        for container_id in boot.left_to_remove():
            self.look(container_id)
        self._submit(boot.catch_up_execs)
        self._submit(boot.remove_orphans)
        self._submit(volumes.finish_removals)
        self._submit(library.adopt_strays)
        if rebooted:
            due = list(boot.due_after_reboot())
            starts = [self._submit(partial(self.reconciler.start, row, Status.EXITED)) for row in due]
            self._submit(partial(_note_reboot, starts))

    def _pursue(self) -> None:
        """What dead workers and lost timers left; and events that waited for the broker."""
        try:
            for container_id in boot.overdue():
                self.look(container_id)
            events.flush()
        finally:  # a database that does not answer once must not end all rounds
            self.later(OVERDUE_SECONDS, self._pursue)

    def _resync(self) -> None:
        try:
            for container_id in boot.suspicious():
                self.look(container_id)
        finally:
            self.later(RESYNC_SECONDS, self._resync)

    def _tidy(self) -> None:
        try:
            boot.forget_execs()
            self._announced.clear()  # some have ended without a notice; forgetting the others delays one look a little
        finally:
            self.later(TIDY_SECONDS, self._tidy)

    def _read_notices(self) -> None:
        while True:
            try:
                data = self._notices.recv(MAX_NOTICE)
            except BlockingIOError:
                return
            try:
                notice: dict[str, Any] = orjson.loads(data)
                container_id = str(notice["container"])
            except (ValueError, KeyError, TypeError):
                logger.warning("a notice that is none: %r", data[:200])
                continue
            if notice.get("notice") == STARTED:
                self._announced.add(container_id)
            elif notice.get("notice") == EXITED:
                self._shims.heard(container_id)
            if notice.get("notice") in {STARTED, LOOK} and self._shims.watch(container_id):
                self._look_at_unheard(container_id)  # it was killed before this notice came
            if notices.concerns_end(notice):
                self._look_in_order(container_id, notice)
            elif notice.get("notice") == OOM:
                self._submit(lambda each=notice: notices.record(each))  # type: ignore[misc]
            elif notice.get("notice") != STARTED:
                self.later(RECORD_SECONDS, lambda each=notice: notices.record(each))  # type: ignore[misc]

    def _look_at_unheard(self, container_id: str) -> None:
        """Its end was told by no notice, nor will it be."""
        self._announced.discard(container_id)
        self.look(container_id)

    def _look_in_order(self, container_id: str, notice: dict[str, Any]) -> None:
        """A command may end before its start is published: its ``die`` waits for the worker's word, but not long."""
        kind = notice.get("notice")
        if kind == EXITED and container_id not in self._announced:
            self.later(ANNOUNCE_SECONDS, lambda: self.look(container_id))
            return
        if kind in {EXITED, STARTED}:
            self._announced.discard(container_id)  # that run is over
        self.look(container_id)

    def _run_timers(self) -> float | None:
        """Hand out what is due; seconds until the next."""
        while True:
            with self._lock:
                pause = self._timers[0][0] - time.monotonic() if self._timers else None
                if pause is None or pause > 0:
                    return pause
                _, _, work = heapq.heappop(self._timers)
            self._submit(work)

    def _submit(self, work: Work) -> Future[None]:
        return self._pool.submit(_guard, work)

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._wake_writer.send(b".")

    def _close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._shims.close()
        self._selector.close()
        self._notices.close()
        self._wake_reader.close()
        self._wake_writer.close()


def _note_reboot(starts: list[Future[None]]) -> None:
    """All of them were taken by a thread before this was: it waits for the last ones only."""
    wait(starts)
    boot.note_reboot()


def _guard(work: Work) -> None:
    """Whatever fails is logged, and looked at again by the next resync."""
    try:
        close_old_connections()
        work()
    except Exception:
        logger.exception("the monitor failed at a piece of work")


def _bind() -> socket.socket:
    path = settings.MUELLE_LAYOUT.notice_socket
    path.unlink(missing_ok=True)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    mask = os.umask(0o177)
    try:
        sock.bind(str(path))
    finally:
        os.umask(mask)
    return sock


def main() -> None:
    """Run until a signal says stop."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # one for each container that runs
    monitor = Monitor()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, monitor.stop)
    monitor.run()
