"""docker run: limits, privileges and what a container may not do."""

from __future__ import annotations

import os
import time

import pytest

from tests.support.docker import Docker
from tests.system.conftest import REFERENCE
from tests.system.waiting import inspect

EFFECTIVE = "sed -n 's/^CapEff:\\t//p' /proc/self/status"
DEFAULT_CAPABILITIES = 0xA80425FB
NET_ADMIN = 1 << 12
CHOWN = 1 << 0
# The machine's own setting: what is written is what was read.
TUNE = "now=$(cat /proc/sys/kernel/panic); echo $now > /proc/sys/kernel/panic"


def capabilities(docker: Docker, image: str, *options: str) -> int:
    return int(docker("run", "--rm", *options, image, "sh", "-c", EFFECTIVE), 16)


def test_memory(docker: Docker, image: str) -> None:
    script = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max"
    assert docker("run", "--rm", "-m", "64m", image, "sh", "-c", script) == str(64 << 20)


def test_out_of_memory_is_reported(docker: Docker, image: str) -> None:
    words = ("-m", "16m", "--memory-swap", "16m", image, "sh", "-c", "x=y; while :; do x=$x$x; done")
    since = time.time()
    assert docker.run("run", "--name", "greedy", *words).returncode == 137
    assert inspect(docker, "greedy")["State"]["OOMKilled"] is True
    told = docker(
        "events", "--since", f"{since:.9f}", "--until", f"{time.time():.9f}", "--filter", "container=greedy",
        "--filter", "event=oom", "--filter", "event=die", "--format", "{{.Action}}",
    )  # fmt: skip
    assert told.splitlines()[-2:] == ["oom", "die"]


def test_cpus(docker: Docker, image: str) -> None:
    script = "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cut -d' ' -f1 /sys/fs/cgroup/cpu.max"
    assert docker("run", "--rm", "--cpus", "0.5", image, "sh", "-c", script) == "50000"


def test_too_many_cpus(docker: Docker, image: str) -> None:
    result = docker.run("run", "--rm", "--cpus", "4000", image, "true")
    assert result.returncode == 125
    assert b"ange of CPUs is from 0.01 to " in result.stderr


def test_pids(docker: Docker, image: str) -> None:
    script = "for i in $(seq 30); do sleep 5 & done; echo unreached"
    result = docker.run("run", "--rm", "--pids-limit", "10", image, "sh", "-c", script)
    assert b"unreached" not in result.stdout
    assert b"fork" in result.stderr


def test_default_capabilities(docker: Docker, image: str) -> None:
    assert capabilities(docker, image) == DEFAULT_CAPABILITIES


def test_capabilities_are_added_and_dropped(docker: Docker, image: str) -> None:
    assert capabilities(docker, image, "--cap-add", "NET_ADMIN") == DEFAULT_CAPABILITIES | NET_ADMIN
    assert capabilities(docker, image, "--cap-drop", "chown") == DEFAULT_CAPABILITIES & ~CHOWN
    assert capabilities(docker, image, "--cap-drop", "ALL", "--cap-add", "CAP_CHOWN") == CHOWN


def test_unknown_capability(docker: Docker, image: str) -> None:
    result = docker.run("run", "--rm", "--cap-add", "FLY", image, "true")
    assert result.returncode == 125
    assert b'invalid CapAdd: unknown capability: "CAP_FLY"' in result.stderr


def test_another_user_has_no_effective_capabilities(docker: Docker, image: str) -> None:
    assert capabilities(docker, image, "-u", "1000") == 0


def test_privileged(docker: Docker, image: str) -> None:
    script = "mkdir /m; mount -t tmpfs none /m && echo mounted; ls /dev/kmsg; " + TUNE
    result = docker.run("run", "--rm", "--privileged", image, "sh", "-c", script)
    if b"unable to apply caps" in result.stderr and REFERENCE in os.environ:
        pytest.skip("dockerd needs capabilities that this machine's root has not")
    assert (result.stdout, result.returncode) == (b"mounted\n/dev/kmsg\n", 0), result.stderr


@pytest.mark.parametrize(
    "script",
    [
        "mkdir /m && mount -t tmpfs none /m",
        "mknod /sda b 8 0 && cat /sda",
        TUNE,
        "hostname other",
        "ip link set eth0 down",
        "chroot / nice -n -5 true",
    ],
)
def test_unprivileged(docker: Docker, image: str, script: str) -> None:
    assert docker.run("run", "--rm", image, "sh", "-c", script).returncode != 0


def test_devices_of_an_ordinary_container(docker: Docker, image: str) -> None:
    assert set(docker("run", "--rm", image, "ls", "/dev").split()) == {
        "core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty",
        "urandom", "zero",
    }  # fmt: skip


def test_masked_and_read_only_paths(docker: Docker, image: str) -> None:
    script = "cat /proc/timer_list | wc -c; touch /proc/sys/kernel/hostname; touch /sys/x; ls /sys/firmware | wc -l"
    result = docker.run("run", "--rm", image, "sh", "-c", script)
    assert result.stdout.split() == [b"0", b"0"]
    assert result.stderr.count(b"Read-only file system") == 2


def test_seccomp_is_on_and_can_be_off(docker: Docker, image: str) -> None:
    script = "sed -n 's/^Seccomp:\\t//p; s/^NoNewPrivs:\\t//p' /proc/self/status"
    assert docker("run", "--rm", image, "sh", "-c", script).split() == ["0", "2"]
    options = ("--security-opt", "seccomp=unconfined", "--security-opt", "no-new-privileges")
    assert docker("run", "--rm", *options, image, "sh", "-c", script).split() == ["1", "0"]


def test_seccomp_forbids_new_namespaces(docker: Docker, image: str) -> None:
    result = docker.run("run", "--rm", image, "unshare", "-U", "true")
    assert result.returncode != 0
    assert b"Operation not permitted" in result.stderr


def test_ulimit(docker: Docker, image: str) -> None:
    assert docker("run", "--rm", "--ulimit", "nofile=100:200", image, "sh", "-c", "ulimit -Sn; ulimit -Hn").split() == [
        "100",
        "200",
    ]


def test_sysctl(docker: Docker, image: str) -> None:
    script = "cat /proc/sys/net/ipv4/ip_default_ttl"
    assert docker("run", "--rm", "--sysctl", "net.ipv4.ip_default_ttl=33", image, "sh", "-c", script) == "33"


def test_device(docker: Docker, image: str) -> None:
    output = docker("run", "--rm", "--device", "/dev/null:/dev/nothing:rw", image, "ls", "-l", "/dev/nothing")
    assert output.startswith("crw")


def test_shm_size(docker: Docker, image: str) -> None:
    output = docker("run", "--rm", "--shm-size", "8m", image, "sh", "-c", "df -k /dev/shm | tail -1")
    assert output.split()[1] == "8192"


def test_inspect_shows_what_was_asked(docker: Docker, image: str) -> None:
    words = ("-m", "64m", "--cpus", "0.5", "--pids-limit", "20", "--cap-add", "NET_ADMIN", "--read-only", "--init")
    found = inspect(docker, docker("create", *words, image))["HostConfig"]
    assert (found["Memory"], found["NanoCpus"], found["PidsLimit"]) == (64 << 20, 500_000_000, 20)
    assert found["CapAdd"] in (["NET_ADMIN"], ["CAP_NET_ADMIN"])
    assert (found["ReadonlyRootfs"], found["Init"], found["Privileged"]) == (True, True, False)


@pytest.mark.parametrize("mode", ["host", "private"])
def test_namespaces_of_the_host(docker: Docker, image: str, mode: str) -> None:
    options = ("--pid", "host", "--uts", "host", "--ipc", "host") if mode == "host" else ()
    output = docker("run", "--rm", *options, image, "sh", "-c", "readlink /proc/self/ns/pid; ps | wc -l")
    assert (int(output.split()[1]) > 20) == (mode == "host")
