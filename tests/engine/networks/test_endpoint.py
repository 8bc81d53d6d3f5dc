from __future__ import annotations

import json
import time

import pytest

from engine.errors import SystemFailure
from engine.kernel.nftables import Nftables
from engine.layout import Layout
from engine.networks import addresses, bridge, endpoint, firewall
from engine.networks.ports import PortMapping
from tests.engine.networks.conftest import Connect, attach, plan_of
from tests.engine.networks.namespaces import PATIENCE, Namespace, tcp, unreachable

pytestmark = pytest.mark.kernel

PLAN = plan_of("172.17.0.9")
WEB = PortMapping("tcp", "", 8080, 80)


def ports_of(host: Namespace, layout: Layout) -> list[str]:
    found = json.loads(host.command("ip", "-json", "link", "show", "master", layout.bridge) or "[]")
    return [link["ifname"] for link in found if link]


def test_a_container_gets_its_interface(host: Namespace, layout: Layout) -> None:
    with Namespace(loopback=False) as container:
        attach(host, layout, container, PLAN)
        assert ports_of(host, layout) == [PLAN.host_interface]
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
        attach(host, layout, dead, PLAN)
        attach(host, layout, container, PLAN)
        assert ports_of(host, layout) == [PLAN.host_interface]
        assert "eth0" in container.command("ip", "link")


def test_failure_leaves_nothing(host: Namespace, layout: Layout) -> None:
    with Namespace() as container:
        container.command("ip", "link", "add", "eth0", "type", "bridge")
        with pytest.raises(SystemFailure, match="create veth"):
            attach(host, layout, container, PLAN)
        assert ports_of(host, layout) == []
        container.command("ip", "link", "del", "eth0")
        with pytest.raises(SystemFailure, match="failed to bind host port"):
            attach(host, layout, container, PLAN._replace(ports=(WEB._replace(host_ip="203.0.113.5"),)))
        assert ports_of(host, layout) == []
        assert "eth0" not in container.command("ip", "link")


def test_a_bridge_that_is_not_there(host: Namespace, layout: Layout) -> None:
    plan = PLAN._replace(bridge="nosuch")
    with Namespace() as container, pytest.raises(SystemFailure, match="nosuch: there is no such bridge"):
        host.call(lambda: endpoint.attach(layout, plan, container.descriptor, container.netlink))


def test_detaching_takes_interface_and_ports_and_twice_is_fine(host: Namespace, layout: Layout) -> None:
    with Namespace() as container:
        made = attach(host, layout, container, PLAN._replace(ports=(WEB, WEB._replace(host_port=0))))
        assert [mapping.container_port for mapping in made.ports if mapping.host_port] == [80, 80]
        for _ in range(2):
            host.call(lambda: endpoint.detach(layout, made))
        assert ports_of(host, layout) == []
        assert host.call(lambda: published(layout)) == []


def test_what_a_killed_attempt_published_is_taken_back(host: Namespace, layout: Layout) -> None:
    """Nobody wrote down which port was chosen; the wish is enough."""
    with Namespace() as container:
        wish = PLAN._replace(ports=(WEB._replace(host_port=0),))
        attach(host, layout, container, wish)
        host.call(lambda: endpoint.detach(layout, wish))
        assert host.call(lambda: published(layout)) == []


def published(layout: Layout) -> list[firewall.Published]:
    with Nftables() as nft:
        return firewall.published(nft, layout.firewall_table)


def test_a_container_in_two_networks(host: Namespace, layout: Layout) -> None:
    """Each network is on its own bridge; the default route leads through the one with the higher priority."""
    second = PLAN._replace(
        endpoint_id="d" * 64, bridge="mu-second", subnet="10.9.0.0/24", gateway="10.9.0.1", ip="10.9.0.2",
        mac=addresses.mac("10.9.0.2"), interface="eth1", gateway_priority=1,
    )  # fmt: skip
    with Namespace() as container, host.listen(80) as server:
        first = PLAN._replace(bridge=host.call(lambda: bridge.ensure(layout)).name)
        host.call(lambda: bridge.ensure(layout, second.subnet, second.bridge))
        for plan in (first, second):
            host.call(lambda plan=plan: endpoint.attach(layout, plan, container.descriptor, container.netlink))  # type: ignore[misc]
        way_out = endpoint.gateway_endpoint([first, second])
        assert way_out == second
        endpoint.set_default_route(second, container.netlink)
        assert "default via 10.9.0.1 dev eth1" in container.command("ip", "route")
        assert tcp(container, server, "172.17.0.1", 80) == "172.17.0.9"
        assert tcp(container, server, "10.9.0.1", 80) == "10.9.0.2"


def test_the_way_out() -> None:
    first, second = PLAN, PLAN._replace(endpoint_id="e" * 64)
    assert endpoint.gateway_endpoint([first, second]) == first
    assert endpoint.gateway_endpoint([first, second._replace(gateway_priority=1)]) != first
    assert endpoint.gateway_endpoint([first._replace(gateway="", gateway_priority=9), second]) == second
    assert endpoint.gateway_endpoint([first._replace(gateway="")]) is None
    assert endpoint.gateway_endpoint([]) is None


def test_the_pair_goes_with_the_namespace(host: Namespace, layout: Layout) -> None:
    with Namespace() as container:
        name = attach(host, layout, container, PLAN).host_interface
    deadline = time.monotonic() + PATIENCE  # the kernel takes namespaces down in its own time
    while name in ports_of(host, layout) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert name not in ports_of(host, layout)


def test_names_differ_and_fit() -> None:
    assert len(PLAN.host_interface) == 15
    assert PLAN.host_interface != PLAN._replace(endpoint_id="b" * 64).host_interface


def test_loopback_alone(host: Namespace) -> None:
    with Namespace(loopback=False) as container:
        endpoint.loopback(container.netlink)
        with container.listen(80) as server:
            assert tcp(container, server, "127.0.0.1", 80) == "127.0.0.1"
