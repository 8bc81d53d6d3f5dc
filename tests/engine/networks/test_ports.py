from __future__ import annotations

import errno
import os
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from engine.errors import InvalidArgument, SystemFailure, Unsupported
from engine.kernel.nftables import Nftables
from engine.layout import Layout
from engine.networks import bridge, firewall, ports
from engine.networks.firewall import Published
from engine.networks.ports import PortMapping
from tests.engine.networks.conftest import Connect, make_layout
from tests.engine.networks.namespaces import Namespace, tcp, udp, unreachable

pytestmark = pytest.mark.kernel

WEB = PortMapping("tcp", "", 8080, 80)
ADDRESS = "172.17.0.2"
NAME = "web (e9)"


@pytest.fixture
def container(connect: Connect) -> Namespace:
    return connect(ADDRESS)


def publish(host: Namespace, layout: Layout, *mappings: PortMapping, address: str = ADDRESS) -> list[PortMapping]:
    def work() -> list[PortMapping]:
        bridge.ensure(layout)
        return ports.publish(layout, address, mappings, NAME)

    return host.call(work)


def published(host: Namespace, layout: Layout) -> list[Published]:
    def read() -> list[Published]:
        with Nftables() as nft:
            return firewall.published(nft, layout.firewall_table)

    return host.call(read)


def test_reached_from_everywhere(
    host: Namespace, layout: Layout, outside: Namespace, container: Namespace, connect: Connect
) -> None:
    assert publish(host, layout, WEB) == [PortMapping("tcp", "0.0.0.0", 8080, 80)]
    neighbour = connect("172.17.0.3")
    with container.listen(80) as server:
        assert tcp(host, server, "127.0.0.1", 8080) == "172.17.0.1"
        assert tcp(host, server, "127.9.9.9", 8080) == "172.17.0.1"
        assert tcp(host, server, "198.51.100.1", 8080) == "198.51.100.1"
        assert tcp(outside, server, "198.51.100.1", 8080) == "198.51.100.2"
        assert tcp(neighbour, server, "198.51.100.1", 8080) == "172.17.0.1"
        assert tcp(neighbour, server, "172.17.0.1", 8080) == "172.17.0.1"
        assert tcp(container, server, "198.51.100.1", 8080) == "172.17.0.1"
        assert tcp(container, server, "172.17.0.1", 8080) == "172.17.0.1"


def test_udp_is_reached_from_everywhere(
    host: Namespace, layout: Layout, outside: Namespace, container: Namespace, connect: Connect
) -> None:
    publish(host, layout, PortMapping("udp", "", 5300, 53))
    neighbour = connect("172.17.0.3")
    with container.bind(53) as server:
        assert udp(host, server, "127.0.0.1", 5300) == "172.17.0.1"
        assert udp(outside, server, "198.51.100.1", 5300) == "198.51.100.2"
        assert udp(neighbour, server, "198.51.100.1", 5300) == "172.17.0.1"
        assert udp(container, server, "198.51.100.1", 5300) == "172.17.0.1"


def test_a_port_bound_to_loopback_is_the_hosts_alone(
    host: Namespace, layout: Layout, outside: Namespace, container: Namespace
) -> None:
    publish(host, layout, WEB._replace(host_ip="127.0.0.1"))
    with container.listen(80) as server:
        assert tcp(host, server, "127.0.0.1", 8080) == "172.17.0.1"
        assert unreachable(outside, "198.51.100.1", 8080)
        assert unreachable(host, "198.51.100.1", 8080)


def test_a_port_bound_to_one_address(host: Namespace, layout: Layout, outside: Namespace, container: Namespace) -> None:
    publish(host, layout, WEB._replace(host_ip="198.51.100.1"))
    with container.listen(80) as server:
        assert tcp(outside, server, "198.51.100.1", 8080) == "198.51.100.2"
        assert unreachable(host, "127.0.0.1", 8080)


def test_the_same_number_for_tcp_and_udp(host: Namespace, layout: Layout, container: Namespace) -> None:
    publish(host, layout, WEB, PortMapping("udp", "", 8080, 81))
    with container.listen(80) as stream, container.bind(81) as datagram:
        tcp(host, stream, "127.0.0.1", 8080)
        udp(host, datagram, "127.0.0.1", 8080)


def test_unpublished_is_unreachable(host: Namespace, layout: Layout, container: Namespace) -> None:
    publish(host, layout, WEB)
    for _ in range(2):
        host.call(lambda: ports.unpublish(layout, ADDRESS))
    assert published(host, layout) == []
    with container.listen(80):
        assert unreachable(host, "127.0.0.1", 8080)


def test_unpublishing_leaves_a_successor_alone(host: Namespace, layout: Layout) -> None:
    publish(host, layout, WEB)
    host.call(lambda: ports.unpublish(layout, "172.17.0.99"))
    assert len(published(host, layout)) == 1


@pytest.mark.parametrize(
    ("first", "second", "address"),
    [("", "", "0.0.0.0"), ("", "127.0.0.1", "127.0.0.1"), ("127.0.0.1", "", "0.0.0.0"), ("127.0.0.1",) * 3],
)
def test_a_port_is_published_once(host: Namespace, layout: Layout, first: str, second: str, address: str) -> None:
    publish(host, layout, WEB._replace(host_ip=first))
    with pytest.raises(SystemFailure) as caught:
        publish(host, layout, PortMapping("tcp", "", 7000, 80), WEB._replace(host_ip=second), address="172.17.0.3")
    assert caught.value.message == (
        "failed to set up container networking: driver failed programming external connectivity on endpoint "
        f"web (e9): Bind for {address}:8080 failed: port is already allocated"
    )
    assert len(published(host, layout)) == 1


def test_different_addresses_of_the_host_do_not_clash(host: Namespace, layout: Layout, outside: Namespace) -> None:
    publish(host, layout, WEB._replace(host_ip="127.0.0.1"), WEB._replace(host_ip="198.51.100.1"))
    assert len(published(host, layout)) == 2


def test_a_clash_within_one_container(host: Namespace, layout: Layout) -> None:
    with pytest.raises(SystemFailure, match="port is already allocated"):
        publish(host, layout, WEB, WEB._replace(container_port=81))
    assert published(host, layout) == []


def test_a_program_of_the_host_keeps_its_port(host: Namespace, layout: Layout) -> None:
    with (
        host.listen(8080, "127.0.0.1"),
        pytest.raises(SystemFailure, match=r"0\.0\.0\.0:8080:.*address already in use"),
    ):
        publish(host, layout, WEB)
    with host.bind(8080), pytest.raises(SystemFailure, match="address already in use"):
        publish(host, layout, WEB._replace(protocol="udp"))
    assert published(host, layout) == []


def test_another_installation_keeps_its_port(host: Namespace, layout: Layout, tmp_path: Path) -> None:
    publish(host, layout, WEB)
    with pytest.raises(SystemFailure, match="port is already allocated"):
        publish(host, make_layout(tmp_path, "other"), WEB)


def test_a_foreign_address(host: Namespace, layout: Layout) -> None:
    with pytest.raises(SystemFailure, match="cannot assign requested address"):
        publish(host, layout, WEB._replace(host_ip="203.0.113.77"))


def test_a_free_port_is_found(host: Namespace, layout: Layout) -> None:
    host.sysctl("net/ipv4/ip_local_port_range", "40000 40003")
    wish = WEB._replace(host_port=0)
    with host.listen(40001):
        made = publish(host, layout, wish, wish, wish)
        assert sorted(mapping.host_port for mapping in made) == [40000, 40002, 40003]
        with pytest.raises(SystemFailure, match="failed"):
            publish(host, layout, wish)


def test_a_range_gives_its_first_free_port(host: Namespace, layout: Layout) -> None:
    publish(host, layout, WEB)
    made = publish(host, layout, WEB._replace(host_port_end=8082), address="172.17.0.3")
    assert [mapping.host_port for mapping in made] == [8081]


def test_one_of_many_that_ask_at_once_gets_the_port(host: Namespace, layout: Layout) -> None:
    host.call(lambda: bridge.ensure(layout))

    def attempt(number: int) -> int:
        try:
            ports.publish(layout, f"172.17.0.{number + 2}", [WEB], NAME)
        except SystemFailure:
            return 1
        return 0

    def race() -> list[int]:
        children = []
        for number in range(8):
            if (child := os.fork()) == 0:
                os._exit(attempt(number))
            children.append(child)
        return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]

    assert sorted(host.call(race)) == [0] + [1] * 7
    assert len(published(host, layout)) == 1


def test_restored_after_a_flush(host: Namespace, layout: Layout, container: Namespace) -> None:
    made = publish(host, layout, WEB, WEB._replace(host_ip="127.0.0.1", host_port=8081))
    host.command("nft", "flush", "ruleset")
    with container.listen(80) as server:
        assert unreachable(host, "127.0.0.1", 8080)
        assert host.call(lambda: bridge.ensure(layout)).ports_lost
        host.call(lambda: ports.restore(layout, {ADDRESS: made}))
        tcp(host, server, "127.0.0.1", 8080)
        tcp(host, server, "127.0.0.1", 8081)


def test_restoring_takes_away_what_leads_to_nobody(host: Namespace, layout: Layout) -> None:
    made = publish(host, layout, WEB)
    publish(host, layout, WEB._replace(host_port=9090), address="172.17.0.3")
    host.call(lambda: ports.restore(layout, {ADDRESS: made}))
    assert published(host, layout) == [Published("", "tcp", 8080, ADDRESS, 80)]


def test_restoring_leaves_a_start_under_way_its_ports(host: Namespace, layout: Layout) -> None:
    """It has published them, and not yet written down which."""
    publish(host, layout, WEB)
    host.call(lambda: ports.restore(layout, {ADDRESS: []}))
    assert published(host, layout) == [Published("", "tcp", 8080, ADDRESS, 80)]


def test_a_udp_client_that_goes_on_reaches_the_new_container(
    host: Namespace, layout: Layout, outside: Namespace, container: Namespace, connect: Connect
) -> None:
    wish = PortMapping("udp", "", 5300, 53)
    successor = connect("172.17.0.3")
    with outside.bind(4000) as client, container.bind(53) as old, successor.bind(53) as new:
        client.connect(("198.51.100.1", 5300))
        publish(host, layout, wish)
        client.send(b"first")
        assert old.recv(16) == b"first"
        host.call(lambda: ports.unpublish(layout, ADDRESS))
        publish(host, layout, wish, address="172.17.0.3")
        client.send(b"second")
        assert new.recv(16) == b"second"


@pytest.mark.parametrize(
    ("mapping", "error"),
    [
        (WEB._replace(protocol="icmp"), InvalidArgument),
        (WEB._replace(host_ip="::"), Unsupported),
        (WEB._replace(host_ip="127.0.0.1 }"), InvalidArgument),
    ],
)
def test_wishes_that_cannot_be(host: Namespace, layout: Layout, mapping: PortMapping, error: type[Exception]) -> None:
    with pytest.raises(error):
        publish(host, layout, mapping)


class Listing(Nftables):
    """What libnftables says on a machine without /etc/protocols."""

    def __init__(self) -> None:
        """No library is opened."""

    def find(self, command: str) -> list[dict[str, Any]]:
        target = {"concat": ["172.17.0.2", 80]}
        ports = [[{"concat": [6, 8080]}, target], [{"concat": ["udp", 53]}, target]]
        bound = [[{"concat": ["127.0.0.1", 132, 9]}, target]]
        return [{"map": {"name": "ports", "elem": ports}}, {"map": {"name": "bound", "elem": bound}}]


def test_protocols_may_come_as_numbers() -> None:
    assert firewall.published(Listing(), "muelle") == [
        Published("", "tcp", 8080, "172.17.0.2", 80),
        Published("", "udp", 53, "172.17.0.2", 80),
        Published("127.0.0.1", "sctp", 9, "172.17.0.2", 80),
    ]


def test_a_port_that_cannot_be_probed_is_not_taken_for_free(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: int) -> socket.socket:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "socket", fail)
    candidate = Published("", "sctp", 8080, ADDRESS, 80)
    with ExitStack() as held:
        number = errno.EMFILE
        with pytest.raises(OSError, match="Too many open files"):
            ports._probe(candidate, held)
        number = errno.EPROTONOSUPPORT
        assert ports._probe(candidate, held) == ""


def test_a_probe_that_fails_is_closed_at_once() -> None:
    """A range of ports that other programs have would else take a descriptor each."""
    with socket.socket() as taken, ExitStack() as held:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
        assert "address already in use" in ports._probe(Published("127.0.0.1", "tcp", port, ADDRESS, 80), held)
        assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
