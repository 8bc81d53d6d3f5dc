"""Clients of the broker: a Redis or Valkey server, on a UNIX socket by default."""

from __future__ import annotations

from django.conf import settings
from redis import Redis
from redis import asyncio as redis_asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

SOCKET_SCHEMES = ("redis+socket://", "unix://")


def client_url() -> str:
    """``unix:///path`` for a UNIX socket, else the URL as configured."""
    return spelled("unix://")


def client(timeout: float = 2.0) -> Redis:
    """A blocking client that connects at first use; ``timeout`` seconds bound each connect and each reply."""
    # One more try at once, for a connection that a broker's restart has left stale; the library's default would sleep.
    retry = Retry(NoBackoff(), 1)
    return Redis.from_url(client_url(), socket_connect_timeout=timeout, socket_timeout=timeout, retry=retry)


def async_client() -> redis_asyncio.Redis:
    """A client for an event loop; replies are not bounded (redis-py: 5 seconds) because subscriptions wait on it."""
    return redis_asyncio.Redis.from_url(client_url(), socket_connect_timeout=2.0, socket_timeout=None)


def spelled(socket_scheme: str) -> str:
    """The configured URL; libraries differ in the scheme that they want for a UNIX socket's path."""
    url: str = settings.MUELLE_BROKER_URL
    for scheme in SOCKET_SCHEMES:
        if url.startswith(scheme):
            return socket_scheme + url.removeprefix(scheme)
    return url
