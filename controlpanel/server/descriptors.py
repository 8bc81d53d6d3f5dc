"""How many descriptors the process may have open: getrlimit(2)."""

from __future__ import annotations

import logging
import resource

logger = logging.getLogger(__name__)

# A client that waits may cost three: its connection, a shim's socket, a pipe or a log file.
PER_CONNECTION = 3
# Database connections of threads, the broker, log files, libraries.
RESERVE = 512


def allow(connections: int) -> None:
    """Raise the soft limit to the hard one, and say so when that is still too low for so many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted = connections * PER_CONNECTION + RESERVE
    if hard != resource.RLIM_INFINITY and hard < wanted:
        logger.warning(
            "at most %d descriptors may be open, and %d connections may need %d: raise the limit (LimitNOFILE, "
            "ulimit -Hn) or lower MUELLE_CONNECTIONS",
            hard,
            connections,
            wanted,
        )
