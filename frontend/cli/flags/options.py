"""The flags of run and create, as data: click options are made from these tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

# Flag (with its short form), help.
LISTS = (
    ("--add-host", "Add a custom host-to-IP mapping (host:ip)"),
    ("--annotation", "Add an annotation to the container (passed through to the OCI runtime)"),
    ("-a --attach", "Attach to STDIN, STDOUT or STDERR"),
    ("--blkio-weight-device", "Block IO weight (relative device weight)"),
    ("--cap-add", "Add Linux capabilities"),
    ("--cap-drop", "Drop Linux capabilities"),
    ("--device", "Add a host device to the container"),
    ("--device-cgroup-rule", "Add a rule to the cgroup allowed devices list"),
    ("--device-read-bps", "Limit read rate (bytes per second) from a device"),
    ("--device-read-iops", "Limit read rate (IO per second) from a device"),
    ("--device-write-bps", "Limit write rate (bytes per second) to a device"),
    ("--device-write-iops", "Limit write rate (IO per second) to a device"),
    ("--dns", "Set custom DNS servers"),
    ("--dns-option", "Set DNS options"),
    ("--dns-search", "Set custom DNS search domains"),
    ("-e --env", "Set environment variables"),
    ("--env-file", "Read in a file of environment variables"),
    ("--expose", "Expose a port or a range of ports"),
    ("--group-add", "Add additional groups to join"),
    ("-l --label", "Set meta data on a container"),
    ("--label-file", "Read in a line delimited file of labels"),
    ("--link", "Add link to another container"),
    ("--link-local-ip", "Container IPv4/IPv6 link-local addresses"),
    ("--log-opt", "Log driver options"),
    ("--mount", "Attach a filesystem mount to the container"),
    ("--network --net", "Connect a container to a network"),
    ("--network-alias --net-alias", "Add network-scoped alias for the container"),
    ("-p --publish", "Publish a container's port(s) to the host"),
    ("--security-opt", "Security Options"),
    ("--storage-opt", "Storage driver options for the container"),
    ("--sysctl", "Sysctl options"),
    ("--tmpfs", "Mount a tmpfs directory"),
    ("--ulimit", "Ulimit options"),
    ("-v --volume", "Bind mount a volume"),
    ("--volumes-from", "Mount volumes from the specified container(s)"),
)
STRINGS = (
    ("--cgroup-parent", "Optional parent cgroup for the container"),
    ("--cgroupns", "Cgroup namespace to use (host|private)"),
    ("--cidfile", "Write the container ID to the file"),
    ("--cpus", "Number of CPUs"),
    ("--cpuset-cpus", "CPUs in which to allow execution (0-3, 0,1)"),
    ("--cpuset-mems", "MEMs in which to allow execution (0-3, 0,1)"),
    ("--domainname", "Container NIS domain name"),
    ("--health-cmd", "Command to run to check health"),
    ("--health-interval", "Time between running the check (ms|s|m|h)"),
    ("--health-start-interval", "Time between running the check during the start period (ms|s|m|h)"),
    ("--health-start-period", "Start period before starting health-retries countdown (ms|s|m|h)"),
    ("--health-timeout", "Maximum time to allow one check to run (ms|s|m|h)"),
    ("-h --hostname", "Container host name"),
    ("--ip", "IPv4 address (e.g., 172.30.100.104)"),
    ("--ip6", "IPv6 address (e.g., 2001:db8::33)"),
    ("--ipc", "IPC mode to use"),
    ("--isolation", "Container isolation technology"),
    ("--log-driver", "Logging driver for the container"),
    ("--mac-address", "Container MAC address (e.g., 92:d0:c6:0a:29:33)"),
    ("-m --memory", "Memory limit"),
    ("--memory-reservation", "Memory soft limit"),
    ("--memory-swap", "Swap limit equal to memory plus swap: '-1' to enable unlimited swap"),
    ("--name", "Assign a name to the container"),
    ("--pid", "PID namespace to use"),
    ("--platform", "Set platform if server is multi-platform capable"),
    ("--restart", "Restart policy to apply when a container exits"),
    ("--runtime", "Runtime to use for this container"),
    ("--shm-size", "Size of /dev/shm"),
    ("--stop-signal", "Signal to stop the container"),
    ("-u --user", "Username or UID (format: <name|uid>[:<group|gid>])"),
    ("--userns", "User namespace to use"),
    ("--uts", "UTS namespace to use"),
    ("--volume-driver", "Optional volume driver for the container"),
    ("-w --workdir", "Working directory inside the container"),
)
NUMBERS = (
    ("--blkio-weight", "Block IO (relative weight), between 10 and 1000, or 0 to disable"),
    ("--cpu-period", "Limit CPU CFS (Completely Fair Scheduler) period"),
    ("--cpu-quota", "Limit CPU CFS (Completely Fair Scheduler) quota"),
    ("-c --cpu-shares", "CPU shares (relative weight)"),
    ("--health-retries", "Consecutive failures needed to report unhealthy"),
    ("--oom-score-adj", "Tune host's OOM preferences (-1000 to 1000)"),
    ("--pids-limit", "Tune container pids limit (set -1 for unlimited)"),
)
SWITCHES = (
    ("--init", "Run an init inside the container that forwards signals and reaps processes"),
    ("-i --interactive", "Keep STDIN open even if not attached"),
    ("--no-healthcheck", "Disable any container-specified HEALTHCHECK"),
    ("--oom-kill-disable", "Disable OOM Killer"),
    ("--privileged", "Give extended privileges to this container"),
    ("-P --publish-all", "Publish all exposed ports to random ports"),
    ("-q --quiet", "Suppress the pull output"),
    ("--read-only", "Mount the container's root filesystem as read only"),
    ("--rm", "Automatically remove the container and its anonymous volumes when it exits"),
    ("-t --tty", "Allocate a pseudo-TTY"),
)

Decorated = Callable[..., Any]


def container_options(function: Decorated) -> Decorated:
    """Add all flags that run and create have in common; the command takes them as ``**flags``."""
    options = [
        *(_option(flags, text, multiple=True, metavar="list") for flags, text in LISTS),
        *(_option(flags, text, metavar="string") for flags, text in STRINGS),
        *(_option(flags, text, type=int, default=0, metavar="int") for flags, text in NUMBERS),
        *(_option(flags, text, is_flag=True) for flags, text in SWITCHES),
        # Unset, -1 and 0 all mean something of their own.
        _option("--memory-swappiness", "Tune container memory swappiness (0 to 100)", type=int, metavar="int"),
        _option("--stop-timeout", "Timeout (in seconds) to stop a container", type=int, metavar="int"),
        # Set to nothing it resets the image's; left out it keeps it.
        _option("--entrypoint", "Overwrite the default ENTRYPOINT of the image", metavar="string"),
        _option(
            "--pull",
            "Pull image before running",
            type=click.Choice(["always", "missing", "never"]),
            default="missing",
            show_default=True,
        ),
    ]
    for option in sorted(options, key=lambda pair: pair[0], reverse=True):
        function = option[1](function)
    return function


def _option(flags: str, text: str, **settings: Any) -> tuple[str, Callable[[Decorated], Decorated]]:
    names = flags.split()
    long = next(name for name in names if name.startswith("--"))
    return long, click.option(*names, long.removeprefix("--").replace("-", "_"), help=text, **settings)
