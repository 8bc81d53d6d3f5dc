"""The engine alone runs containers in networks: no Django, no database, a host of its own as the only machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest

from engine.containers import config, container, runtime
from engine.containers.container import Started
from engine.containers.spec import Specification
from engine.errors import InvalidArgument, SystemFailure
from engine.kernel.nftables import Nftables
from engine.layout import Layout
from engine.networks import addresses, endpoint, firewall
from engine.networks.endpoint import EndpointPlan
from engine.networks.ports import PortMapping
from tests.engine.containers.conftest import LAYER, Container, drain, launched
from tests.engine.networks.namespaces import PATIENCE, Namespace

pytestmark = pytest.mark.kernel

FRONT, BACK = IPv4Network("10.91.0.0/24"), IPv4Network("10.92.0.0/24")
WEB = PortMapping("tcp", "", 0, 80)
SERVE = "echo hello > /tmp/index.html; exec httpd -f -p 80 -h /tmp"


@pytest.fixture
def host() -> Iterator[Namespace]:
    with Namespace() as machine:
        yield machine


@pytest.fixture
def layout(host: Namespace, tmp_path: Path) -> Iterator[Layout]:
    directories = Layout(tmp_path / "home", tmp_path / "run")
    for directory in directories:
        directory.mkdir()
    with launched(directories, "nsenter", f"--net=/proc/{os.getpid()}/fd/{host.descriptor}") as made:
        yield made


class Networked(Container):
    """A container that is started, and torn down, as the engine's callers do it; on the host of the test."""

    def __init__(self, layout: Layout, host: Namespace, name: str, *endpoints: EndpointPlan) -> None:
        self.layout, self.id, self.host, self.name = layout, os.urandom(32).hex(), host, name
        self.directory = container.prepare(layout, self.id)
        self.endpoints = endpoints

    def run(self, script: str, **host: Any) -> Started:
        specification = Specification(
            id=self.id,
            name=self.name,
            config=config.complete_config({"Cmd": ["sh", "-c", script], "Hostname": self.name}),
            host_config=config.complete_host_config(host),
            layers=(LAYER,),
            endpoints=self.endpoints,
        )
        started = self.host.call(lambda: start(self.layout, specification))
        self.endpoints = started.endpoints
        return started

    def says(self, script: str) -> str:
        """Run to the end and return what it wrote."""
        with self.attach() as connection:
            self.run(script)
            return drain(connection).decode()

    def remove(self) -> None:
        self.host.call(lambda: container.tear_down(self.layout, self.id, self.endpoints))
        for plan in self.endpoints:
            self.host.call(lambda plan=plan: endpoint.remove_interface(self.layout, plan))  # type: ignore[misc]
        removed = container.set_aside(self.layout, self.id)
        subprocess.run(["rm", "-r", removed], check=True)


def start(layout: Layout, specification: Specification) -> Started:
    container.ensure_bridges(layout, specification.endpoints)
    try:
        return container.start(layout, specification)
    except runtime.StartFailed as error:  # which does not cross a pipe
        raise InvalidArgument(error.message) from error


def plan(network: IPv4Network, number: int, interface: str = "eth0", **fields: Any) -> EndpointPlan:
    address = str(network[number])
    return EndpointPlan(
        endpoint_id=os.urandom(32).hex(),
        bridge="mufront" if network == FRONT else "muback",
        subnet=str(network),
        gateway=str(network[1]),
        ip=address,
        mac=addresses.mac(address),
        interface=interface,
        owner="web",
        **fields,
    )


def published(host: Namespace, layout: Layout) -> list[firewall.Published]:
    def look() -> list[firewall.Published]:
        with Nftables() as nft:
            return firewall.published(nft, layout.firewall_table)

    return host.call(look)


def interfaces(host: Namespace) -> list[str]:
    """The host's ends of the containers' interfaces."""
    found = json.loads(host.command("ip", "-json", "link", "show", "type", "veth") or "[]")
    return [each["ifname"] for each in found if each]


def nothing_left(layout: Layout, host: Namespace, *gone: Networked) -> None:
    assert interfaces(host) == []
    assert published(host, layout) == []
    for each in gone:
        assert not each.socket.exists()
        assert not list(Path("/sys/fs/cgroup").glob(f"**/{each.id}"))
        assert each.id not in Path("/proc/self/mountinfo").read_text()
    assert list((layout.home / "containers").iterdir()) == []


def fetch(host: Namespace, port: int) -> str:
    with host.open() as client:
        client.connect(("127.0.0.1", port))
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return drain(client).decode()


def test_two_containers_on_two_networks(layout: Layout, host: Namespace) -> None:
    server = Networked(layout, host, "web", plan(FRONT, 2), plan(BACK, 2, "eth1", gateway_priority=1, ports=(WEB,)))
    client = Networked(layout, host, "client", plan(BACK, 3))
    assert host.call(lambda: container.ensure_bridges(layout, server.endpoints))  # the first ones on this host
    assert not host.call(lambda: container.ensure_bridges(layout, server.endpoints))
    started = server.run(SERVE)
    (mapping,) = started.endpoints[1].ports
    assert (mapping.container_port, mapping.host_ip) == (80, "0.0.0.0")

    front, back = (
        [(each["ifname"], inet["local"], inet["prefixlen"]) for inet in each["addr_info"]]
        for each in json.loads(inside(server, host, "ip", "-json", "addr"))
        if each["ifname"] != "lo"
    )
    assert (front, back) == ([("eth0", "10.91.0.2", 24)], [("eth1", "10.92.0.2", 24)])
    routes, _ = server.exec("ip", "route")
    assert routes.decode().splitlines() == [
        "default via 10.92.0.1 dev eth1 ",
        "10.91.0.0/24 dev eth0 scope link  src 10.91.0.2 ",
        "10.92.0.0/24 dev eth1 scope link  src 10.92.0.2 ",
    ]
    assert server.exec("cat", "/etc/hosts")[0].decode().endswith("10.91.0.2\tweb\n10.92.0.2\tweb\n")
    assert server.exec("hostname")[0] == b"web\n"

    ready(server)
    script = "ping -c 1 -W 3 10.92.0.2 >/dev/null && wget -qO- http://10.92.0.2/ && ip route | head -n 1"
    assert client.says(script).split() == ["hello", "default", "via", "10.92.0.1", "dev", "eth0"]
    assert fetch(host, mapping.host_port).endswith("hello\n")

    server.remove()
    client.remove()
    nothing_left(layout, host, server, client)


def test_a_start_that_fails_leaves_nothing(layout: Layout, host: Namespace) -> None:
    first = Networked(layout, host, "web", plan(FRONT, 2, ports=(WEB._replace(host_port=8080),)))
    first.run(SERVE)
    ports = PortMapping("tcp", "", 9090, 90), WEB._replace(host_port=8080)
    second = Networked(layout, host, "web", plan(BACK, 3), plan(FRONT, 3, "eth1", ports=ports))
    with pytest.raises(SystemFailure, match=r"on endpoint web .*Bind for 0.0.0.0:8080 failed: port is already alloc"):
        second.run(SERVE)
    third = Networked(layout, host, "web", plan(FRONT, 4, ports=(WEB,)))
    with pytest.raises(InvalidArgument, match="unable to start container process"):
        third.run("true", Sysctls={"net.nonsense": "1"})
    assert [each.container_ip for each in published(host, layout)] == ["10.91.0.2"]
    assert interfaces(host) == [first.endpoints[0].host_interface]
    assert all(runtime.state(layout, each.id) is None for each in (second, third))
    for each in (first, second, third):
        each.remove()
    nothing_left(layout, host, first, second, third)


def test_without_an_endpoint_there_is_a_loopback(layout: Layout, host: Namespace) -> None:
    lonely = Networked(layout, host, "alone")
    assert lonely.says("ping -c 1 -W 3 127.0.0.1 | grep -c '1 packets received'; ls /sys/class/net") == "1\nlo\n"
    lonely.remove()
    nothing_left(layout, host, lonely)


def test_tearing_down_goes_on_after_a_failure_and_may_be_repeated(layout: Layout, host: Namespace) -> None:
    web = Networked(layout, host, "web", plan(FRONT, 2, ports=(WEB,)))
    web.run(SERVE)

    def tear_down() -> None:
        container.tear_down(layout, web.id, web.endpoints)

    layout.network_lock.unlink()
    layout.network_lock.mkdir()
    with pytest.raises(SystemFailure, match=r"network\.lock"):
        host.call(tear_down)
    assert runtime.cgroup(layout, web.id).pids() == []
    layout.network_lock.rmdir()
    for _ in range(2):
        host.call(tear_down)
    assert published(host, layout) == []
    ended = runtime.find_end(layout, web.id)
    assert ended is not None
    assert ended.exit_code == runtime.KILLED
    web.remove()
    nothing_left(layout, host, web)


def test_none_of_it_needs_django() -> None:
    modules = "import engine.containers.container, engine.containers.restart, engine.containers.mounting, sys"
    program = f"{modules}; sys.exit(any(name.partition('.')[0] in ('django', 'celery') for name in sys.modules))"
    subprocess.run([sys.executable, "-c", program], check=True)


def inside(server: Networked, host: Namespace, *command: str) -> str:
    """What a program of the machine sees in a container's network namespace."""
    state = runtime.state(server.layout, server.id)
    assert state is not None
    return host.command("nsenter", f"--net=/proc/{state.pid}/ns/net", *command)


def ready(server: Networked) -> None:
    """Until the server listens."""
    script = f"for _ in $(seq {int(PATIENCE * 20)}); do wget -qO- http://127.0.0.1/ && exit; usleep 50000; done; exit 1"
    assert server.exec("sh", "-c", script)[1] == 0
