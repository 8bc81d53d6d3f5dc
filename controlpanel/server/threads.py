"""One pool of threads for all synchronous code of the process.

Django gives each request a thread of its own as soon as the request calls synchronous code, and keeps it until the
answer is complete. A thousand clients that wait would hold a thousand threads, each with a database connection. What
Django needs one thread for is its per-thread database connection, and no transaction here spans two calls; so all
requests share a pool that starts a thread only when none is idle, and each thread keeps its connection.

That the connection still works, Django looks at when a request starts and ends, in whichever thread; the pool looks
in the thread that is about to use it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext
from django.core.cache import close_caches
from django.core.handlers.base import reset_urlconf
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, reset_queries

# Each is used for as long as a query takes: who waits for anything else is a coroutine.
MAX_THREADS = 64


class Pool(ThreadPoolExecutor):
    """Threads whose work finds a database connection that is fit for use."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return super().submit(_connected, work, *args, **kwargs)


def _connected(work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    close_old_connections()
    return work(*args, **kwargs)


def share() -> Pool:
    """Make every task that is started from here on use the pool; asgiref lets the outermost context win."""
    pool = Pool(MAX_THREADS, thread_name_prefix="sync")
    context = ThreadSensitiveContext()
    SyncToAsync.thread_sensitive_context.set(context)
    SyncToAsync.context_to_thread_executor[context] = pool
    request_started.disconnect(reset_queries)
    # There is one URLconf, and no cache.
    request_finished.disconnect(reset_urlconf)
    request_finished.disconnect(close_caches)
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    return pool
