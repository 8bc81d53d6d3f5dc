"""Run one piece of work in a short-lived child process: it may change its namespaces, and it can be killed."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from typing import Any, NoReturn

import orjson

from engine.errors import MuelleError, SystemFailure, Unavailable
from engine.kernel import libc

_MAX_ANSWER = 256 << 20
_PIECE = 1 << 20


def run(work: Callable[[], Any], timeout: float, output: int | None = None) -> Any:
    """The JSON value that ``work`` returns in a child; its MuelleError is raised here.

    The child is killed after ``timeout`` seconds, and as soon as nobody reads from ``output``: Unavailable.
    """
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _child(work, writer)
    try:
        os.close(writer)
        answer = _collect(reader, timeout, output)
    finally:
        os.close(reader)
        # It has answered, or it never shall; either way nothing of it may stay.
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return _result(answer)


def _child(work: Callable[[], Any], writer: int) -> NoReturn:
    try:
        libc.prctl(libc.PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        answer = orjson.dumps({"value": work()})
    except MuelleError as failure:
        answer = _failure(failure)
    except (BrokenPipeError, ConnectionError):
        answer = _failure(Unavailable("the client went away"))
    except OSError as failure:  # without its path, which may be the host's
        answer = _failure(SystemFailure(f"{type(failure).__name__}: {failure.strerror}"))
    except BaseException as failure:
        answer = _failure(SystemFailure(f"{type(failure).__name__}: {failure}"))
    while answer:
        answer = answer[os.write(writer, answer) :]
    os._exit(0)


def _failure(failure: MuelleError) -> bytes:
    return orjson.dumps({"error": {key: printable(text) for key, text in failure.to_json().items()}})


def printable(text: str) -> str:
    """For JSON: bytes of a name that are not UTF-8 become U+FFFD, as in Go."""
    return os.fsencode(text).decode("utf-8", "replace")


def _collect(reader: int, timeout: float, output: int | None) -> bytes:
    deadline = time.monotonic() + timeout
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    if output is not None:
        poll.register(output, 0)  # errors and hang-ups are always reported
    answer = b""
    while (left := deadline - time.monotonic()) > 0:
        ready = dict(poll.poll(left * 1000))
        if reader in ready:
            piece = os.read(reader, _PIECE)
            if not piece:
                return answer
            answer += piece
            if len(answer) > _MAX_ANSWER:
                raise SystemFailure("the answer is too long")
        elif ready:
            raise Unavailable("the client went away")
    raise Unavailable(f"not finished after {timeout:g} seconds")


def _result(answer: bytes) -> Any:
    if not answer:
        raise SystemFailure("the child process was killed")
    message = orjson.loads(answer)
    if "error" in message:
        raise MuelleError.from_json(message["error"])
    return message["value"]
