"""An operation of the workers as a typed function: declared once, called by the web process, implemented by a worker.

A contract declares it, with the types of its arguments and of its result, all of them JSON:

    @operation(Queue.LIFECYCLE)
    def start(container_id: str) -> Changed:
        \"\"\"Start a container by hand.\"\"\"

``await containers.start(scope, container.id)`` calls it, ``@containers.start.implement`` registers what a worker does;
the type checker holds both to the declaration.
"""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, ParamSpec, TypeVar, cast

from controlpanel.rpc import calls, worker
from controlpanel.rpc.envelope import Caller
from controlpanel.rpc.worker import Later

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

# Seconds to wait for the answer, None without end; or how to tell that from the arguments.
Patience = float | None | Callable[[Mapping[str, Any]], float | None]
DEFAULT_SECONDS: Final = 60.0
# Copying an image's content, deleting many files: bounded by the disk only.
DISK_SECONDS: Final = 600.0


class Queue(enum.StrEnum):
    """Each has workers of its own, so that what waits in one never delays another."""

    LIFECYCLE = "lifecycle"  # short work in the kernel and the database
    DISK = "disk"  # as long as the disk takes
    TRANSFER = "transfer"  # as long as the client takes: bytes through a ticket


class Operation(Generic[Arguments, Result]):
    """``name`` is its module's and its own: ``containers.start``."""

    def __init__(self, declaration: Callable[Arguments, Result], queue: Queue, patience: Patience) -> None:
        self.name = f"{declaration.__module__.rpartition('.')[2]}.{declaration.__name__}"
        self.queue = queue
        self.signature = inspect.signature(declaration)
        self.__doc__ = declaration.__doc__
        self._patience = patience

    async def __call__(self, caller: Caller, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Have a worker of the caller's node do it; raises the MuelleError that it raised.

        Unavailable when the broker or every worker is away, or the answer is not there in time.
        """
        arguments = self.signature.bind(*args, **kwargs).arguments
        return cast("Result", await calls.call(caller, self.name, self.queue, arguments, self.patience(arguments)))

    def patience(self, arguments: Mapping[str, Any]) -> float | None:
        return self._patience(arguments) if callable(self._patience) else self._patience

    def implement(self, function: Callable[Arguments, Result | Later]) -> Callable[Arguments, Result | Later]:
        """Register what a worker does; the function itself stays callable as it was."""
        worker.register(self.name, function)
        return function


def operation(
    queue: Queue, patience: Patience = DEFAULT_SECONDS
) -> Callable[[Callable[Arguments, Result]], Operation[Arguments, Result]]:
    """Make an Operation of a declaration."""

    def declare(declaration: Callable[Arguments, Result]) -> Operation[Arguments, Result]:
        return Operation(declaration, queue, patience)

    return declare
