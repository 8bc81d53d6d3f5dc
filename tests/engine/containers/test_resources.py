"""From Docker's fields to the limits and device rules of a cgroup."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from engine.containers import config, devices, resources
from engine.containers.config.objects import HostConfig
from engine.errors import InvalidArgument
from engine.kernel.cgroups import Rule

KERNEL_ROOM = Path(resources.__file__).parents[1] / "kernel"


def host(**fields: Any) -> HostConfig:
    return config.complete_host_config(fields)


def test_limits() -> None:
    found = resources.limits(host(Memory=1, MemorySwap=-1, NanoCpus=1_500_000_000, PidsLimit=None, MemorySwappiness=0))
    assert (found.memory, found.memory_swap, found.pids_limit, found.memory_swappiness) == (1, -1, 0, 0)
    assert (found.cpu_period, found.cpu_quota) == (100_000, 150_000)


def test_throttles_need_a_block_device() -> None:
    with pytest.raises(InvalidArgument, match="lstat /dev/none: no such file or directory"):
        resources.limits(host(BlkioDeviceReadBps=[{"Path": "/dev/none", "Rate": 1}]))
    with pytest.raises(InvalidArgument, match="not a block device"):
        resources.limits(host(BlkioWeightDevice=[{"Path": "/dev/null", "Weight": 10}]))


def test_a_privileged_container_has_no_device_rules() -> None:
    assert devices.rules(host(Privileged=True, DeviceCgroupRules=["b 7:* rwm"])) is None


@pytest.mark.kernel
def test_asked_for_devices_come_after_the_default_ones(tmp_path: Path) -> None:
    node = str(tmp_path / "node")
    os.mknod(node, 0o020600, os.makedev(10, 200))
    wanted = host(Devices=[{"PathOnHost": node, "CgroupPermissions": "rw"}], DeviceCgroupRules=["b 7:* rwm"])
    assert devices.rules(wanted) == (*devices.RULES, Rule("c", 10, 200, "rw"), Rule("b", 7, None, "rwm"))
    assert devices.nodes(wanted)[-1] == (node, 0o020600, 10, 200, 0, 0)


@pytest.mark.kernel
def test_a_directory_stands_for_the_devices_in_it(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    os.mknod(tmp_path / "below/node", 0o020600, os.makedev(10, 200))
    os.mknod(tmp_path / "other", 0o060640, os.makedev(7, 1))
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("/dev/zero")
    wanted = host(Devices=[{"PathOnHost": str(tmp_path), "PathInContainer": "/dev/snd"}])
    assert set(devices.nodes(wanted)[len(devices.NODES) :]) == {
        ("/dev/snd/below/node", 0o020600, 10, 200, 0, 0),
        ("/dev/snd/other", 0o060640, 7, 1, 0, 0),
    }
    assert set(devices.rules(wanted) or ()) - set(devices.RULES) == {Rule("c", 10, 200, "rwm"), Rule("b", 7, 1, "rwm")}


def test_a_device_that_is_not_there_or_is_none_is_refused(tmp_path: Path) -> None:
    for path, text in ((tmp_path / "none", "no such file or directory"), (Path(__file__), "not a device node")):
        for function in (devices.rules, devices.nodes):
            with pytest.raises(InvalidArgument, match=f'custom device "{path}": {text}'):
                function(host(Devices=[{"PathOnHost": str(path)}]))


def test_dockers_json_stays_out_of_the_kernel_room() -> None:
    """The kernel room takes typed values: no module of it looks into an object for one of Docker's fields."""
    fields = "|".join(HostConfig.__annotations__)
    named = re.compile(rf"""(\[|get\()["']({fields})["']|host_config""")
    found = [f"{path}: {match[0]}" for path in KERNEL_ROOM.rglob("*.py") for match in named.finditer(path.read_text())]
    assert not found
