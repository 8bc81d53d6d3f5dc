"""One pool of threads for all synchronous code of the process.

Django gives each request a thread of its own as soon as the request calls synchronous code, and keeps it until the
answer is complete. A thousand clients that wait would hold a thousand threads, each with a database connection. What
Django needs one thread for is its per-thread database connection, and no transaction here spans two calls; so all
requests share a pool that starts a thread only when none is idle, and each thread keeps its connection.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from asgiref.sync import SyncToAsync, ThreadSensitiveContext

# A blocking view holds a thread while it waits, for instance for a stop with a long grace period.
MAX_THREADS = 64


def share() -> ThreadPoolExecutor:
    """Make every task that is started from here on use the pool; asgiref lets the outermost context win."""
    pool = ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="sync")
    context = ThreadSensitiveContext()
    SyncToAsync.thread_sensitive_context.set(context)
    SyncToAsync.context_to_thread_executor[context] = pool
    return pool
