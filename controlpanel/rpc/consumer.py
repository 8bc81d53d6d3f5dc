"""How a worker waits for a broker that went away."""

from __future__ import annotations

from functools import partial
from typing import Any

from celery.worker.consumer import Consumer

RETRY_SECONDS = 0.5


class PatientConsumer(Consumer):  # type: ignore[misc]  # Celery is untyped
    """Tries twice a second. Celery's own pause grows to half a minute, for which every call would have to wait."""

    def ensure_connected(self, conn: Any) -> Any:
        conn.ensure_connection = partial(
            conn.ensure_connection,
            interval_start=RETRY_SECONDS,
            interval_step=0,
            interval_max=RETRY_SECONDS,
        )
        return super().ensure_connected(conn)
