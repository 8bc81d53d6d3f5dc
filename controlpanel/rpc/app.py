"""The Celery application: three queues per node, JSON only.

Nothing is kept that outlives a call: results expire, a message expires with the caller's patience or before, and a
worker takes one message at a time and confirms it after the work, so a killed worker's message goes to another.
"""

from __future__ import annotations

import gc
import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlpanel.settings")

import django
from celery import Celery, signals
from django.conf import settings

from controlpanel import broker

QUEUES = ("lifecycle", "disk", "transfer")
RESULT_SECONDS = 600


def queue_name(kind: str, node: str | None = None) -> str:
    """``<node>.lifecycle``, for instance: a second host is a second set of workers with names of its own."""
    return f"{node or settings.MUELLE_NODE}.{kind}"


def broker_url() -> str:
    """The broker's address as Celery spells it: ``redis+socket:///path`` for a UNIX socket."""
    return broker.spelled("redis+socket://")


# No fix-ups: Celery's one for Django closes the database connection around every task, a millisecond each time.
# controlpanel.rpc.worker drops connections that have become unusable instead.
app = Celery("muelle", fixups=[])
app.conf.update(
    broker_url=broker_url(),
    result_backend=broker_url(),
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
    # An operation ends what it began, whatever happens to the broker meanwhile.
    worker_cancel_long_running_tasks_on_connection_loss=False,
    worker_hijack_root_logger=False,
    worker_redirect_stdouts=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    # Longer than any operation: a message still being worked on must not be handed out a second time.
    worker_consumer="controlpanel.rpc.consumer:PatientConsumer",
    broker_transport_options={"visibility_timeout": 24 * 3600, "socket_connect_timeout": 2},
    # A caller whose broker went away has been told so; nobody waits for an answer that comes much later.
    result_backend_transport_options={
        "retry_policy": {"max_retries": 2, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.2}
    },
)


@signals.import_modules.connect(weak=False)  # type: ignore[untyped-decorator]
def set_up_django(**_: object) -> None:
    """Before a worker imports the operations; in the web process Django is set up already."""
    django.setup()


app.autodiscover_tasks(["controlpanel.operations"], related_name="registry")


def _share_pages(**_event: object) -> None:
    """Pool processes are forks; what a collection never visits stays shared with them (198 MiB became 114 for five)."""
    gc.collect()
    gc.freeze()


signals.worker_before_create_process.connect(_share_pages)
