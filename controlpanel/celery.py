"""The Celery application: one lifecycle and one transfer queue per node, JSON only.

Nothing is kept that outlives a call: results expire, a message expires with the caller's patience, and a worker takes
one message at a time and confirms it after the work, so a killed worker's message goes to another.
"""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlpanel.settings")

from celery import Celery
from django.conf import settings

from controlpanel import broker

QUEUES = ("lifecycle", "transfer")
RESULT_SECONDS = 600


def queue_name(kind: str, node: str | None = None) -> str:
    """``<node>.lifecycle`` or ``<node>.transfer``: a second host is a second worker with names of its own."""
    return f"{node or settings.MUELLE_NODE}.{kind}"


app = Celery("muelle")
app.conf.update(
    broker_url=broker.celery_url(),
    result_backend=broker.celery_url(),
    task_serializer="json",
    result_serializer="json",
    accept_content=["json"],
    result_accept_content=["json"],
    result_expires=RESULT_SECONDS,
    task_queues={queue_name(kind): {} for kind in QUEUES},
    task_default_queue=queue_name("lifecycle"),
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # Longer than any operation: a message still being worked on must not be handed out a second time.
    broker_transport_options={"visibility_timeout": 24 * 3600, "socket_connect_timeout": 2},
    result_backend_transport_options={"retry_policy": {"timeout": 2.0}},
)
app.autodiscover_tasks(["controlpanel.tasks"], related_name="registry")
