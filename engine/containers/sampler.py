"""Reads what all running containers use, in a process of its own: ``python -m engine.containers.sampler PARENT``.

A pass over a thousand containers is tens of milliseconds in which the interpreter does nothing else, so it is not made
in a process that serves requests. PARENT is the cgroup above the containers' (``Layout.cgroup_parent``). Nothing here
needs a privilege.

Each line on standard input asks for one pass, ``{"containers": {id: ["veth1a2b"]}}`` with the host's ends of
the interfaces. It is answered by one line on standard output,
``{"at": nanoseconds since 1970, "containers": {id: [cpu, memory, limit, received, sent, read, written, processes]}}``:
`engine.containers.counters.Counters` in their order. A container that has ended is left out.

Whoever started it ends it by closing its standard input, which the kernel does for one that dies.
"""

from __future__ import annotations

import resource
import signal
import sys
import time

import orjson

from engine.containers.counters import Reader

_SPARE = 64  # descriptors for everything but control files


def main() -> None:
    (parent,) = sys.argv[1:]
    # The terminal's Ctrl-C is for whoever started it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reader = Reader(parent, _raise_limit() - _SPARE)
    try:
        for line in sys.stdin.buffer:
            containers = orjson.loads(line)["containers"]
            at = time.time_ns()
            counters = reader.read(containers)
            sys.stdout.buffer.write(orjson.dumps({"at": at, "containers": counters}, default=tuple) + b"\n")
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        # Nobody listens any more; what is left in the buffer must not raise again at exit.
        sys.stdout = None


def _raise_limit() -> int:
    """As many open files as this process may have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


if __name__ == "__main__":
    main()
