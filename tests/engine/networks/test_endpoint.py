from __future__ import annotations

import json
import time

import pytest

from engine.errors import SystemFailure
from engine.layout import Layout
from engine.networks import addresses, bridge, endpoint
from engine.networks.endpoint import EndpointPlan
from tests.engine.networks.conftest import Connect
from tests.engine.networks.namespaces import PATIENCE, Namespace, tcp, unreachable

pytestmark = pytest.mark.kernel

PLAN = EndpointPlan("c" * 64, "172.17.0.9", addresses.mac("172.17.0.9"))


def connect_plan(host: Namespace, layout: Layout, container: Namespace, plan: EndpointPlan = PLAN) -> str:
    return host.call(
        lambda: endpoint.connect(layout, bridge.ensure(layout), plan, container.descriptor, container.netlink)
    )


def ports_of(host: Namespace, layout: Layout) -> list[str]:
    found = json.loads(host.command("ip", "-json", "link", "show", "master", layout.bridge) or "[]")
    return [link["ifname"] for link in found if link]


def test_a_container_gets_its_interface(host: Namespace, layout: Layout) -> None:
    with Namespace(loopback=False) as container:
        name = connect_plan(host, layout, container)
        assert ports_of(host, layout) == [name]
        loopback, interface = json.loads(container.command("ip", "-json", "address"))
        assert "UP" in loopback["flags"]
        assert (interface["ifname"], interface["address"], interface["mtu"]) == ("eth0", PLAN.mac, 1500)
        (address,) = interface["addr_info"]
        assert (address["local"], address["prefixlen"], address["broadcast"]) == ("172.17.0.9", 16, "172.17.255.255")
        assert container.command("ip", "route", "show", "default").split()[:3] == ["default", "via", "172.17.0.1"]


def test_containers_reach_each_other_and_the_host(host: Namespace, connect: Connect) -> None:
    first, second = connect("172.17.0.2"), connect("172.17.0.3")
    with second.listen(80) as server:
        assert tcp(first, server, "172.17.0.3", 80) == "172.17.0.2"
    with host.listen(80) as server:
        assert tcp(first, server, "172.17.0.1", 80) == "172.17.0.2"


def test_other_hosts_see_the_hosts_address(host: Namespace, outside: Namespace, connect: Connect) -> None:
    container = connect("172.17.0.2")
    with outside.listen(80) as server:
        assert tcp(container, server, "198.51.100.2", 80) == "198.51.100.1"


def test_other_hosts_reach_no_unpublished_port(host: Namespace, outside: Namespace, connect: Connect) -> None:
    container = connect("172.17.0.2")
    outside.command("ip", "route", "add", "172.17.0.0/16", "via", "198.51.100.1")
    with container.listen(80):
        assert unreachable(outside, "172.17.0.2", 80)


def test_a_container_does_not_reach_the_hosts_loopback(host: Namespace, layout: Layout, connect: Connect) -> None:
    container = connect("172.17.0.2")
    with host.listen(80, "127.0.0.1"):
        container.command("ip", "address", "del", "127.0.0.1/8", "dev", "lo")
        container.command("ip", "route", "del", "table", "local", "127.0.0.0/8", check=False)
        container.command("ip", "route", "add", "127.0.0.1/32", "via", "172.17.0.1", "src", "172.17.0.2")
        container.sysctl("net/ipv4/conf/eth0/route_localnet", "1")
        container.sysctl("net/ipv4/conf/all/route_localnet", "1")
        assert unreachable(container, "127.0.0.1", 80)
        # The guard is what holds: without it the host's loopback would answer.
        host.command("nft", "flush", "chain", "ip", layout.firewall_table, "guard")
        assert not unreachable(container, "127.0.0.1", 80)


def test_a_pair_left_by_a_killed_attempt_is_replaced(host: Namespace, layout: Layout) -> None:
    with Namespace() as dead, Namespace() as container:
        name = connect_plan(host, layout, dead)
        assert connect_plan(host, layout, container) == name
        assert ports_of(host, layout) == [name]
        assert "eth0" in container.command("ip", "link")


def test_failure_leaves_nothing(host: Namespace, layout: Layout) -> None:
    with Namespace() as container:
        plan = PLAN._replace(ip="203.0.113.5")
        container.command("ip", "address", "add", "172.17.0.0/16", "dev", "lo")
        container.command("ip", "route", "add", "default", "dev", "lo")
        with pytest.raises(SystemFailure, match="default route"):
            connect_plan(host, layout, container, plan)
        assert ports_of(host, layout) == []
        assert "eth0" not in container.command("ip", "link")


def test_disconnecting_twice_is_fine(host: Namespace, layout: Layout) -> None:
    with Namespace() as container:
        connect_plan(host, layout, container)
        for _ in range(2):
            host.call(lambda: endpoint.disconnect(layout, PLAN))
        assert ports_of(host, layout) == []


def test_the_pair_goes_with_the_namespace(host: Namespace, layout: Layout) -> None:
    with Namespace() as container:
        name = connect_plan(host, layout, container)
    deadline = time.monotonic() + PATIENCE  # the kernel takes namespaces down in its own time
    while name in ports_of(host, layout) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert name not in ports_of(host, layout)


def test_names_differ_and_fit() -> None:
    first = EndpointPlan("a" * 64, "10.0.0.2", "")
    assert len(first.host_interface) == 15
    assert first.host_interface != first._replace(endpoint_id="b" * 64).host_interface


def test_loopback_alone(host: Namespace) -> None:
    with Namespace(loopback=False) as container:
        endpoint.loopback(container.netlink)
        with container.listen(80) as server:
            assert tcp(container, server, "127.0.0.1", 80) == "127.0.0.1"
