from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from engine.layout import Layout
from engine.networks import bridge, firewall
from tests.engine.networks.conftest import Connect, make_layout
from tests.engine.networks.namespaces import Namespace, tcp

pytestmark = pytest.mark.kernel


def links(host: Namespace) -> set[str]:
    return {link["ifname"] for link in json.loads(host.command("ip", "-json", "link"))}


def test_the_bridge_is_made_once(host: Namespace, layout: Layout) -> None:
    first = host.call(lambda: bridge.ensure(layout))
    again = host.call(lambda: bridge.ensure(layout, first.subnet))
    assert first == again._replace(ports_lost=True)
    assert str(first.gateway) == "172.17.0.1/16"
    detail = json.loads(host.command("ip", "-json", "-details", "address", "show", layout.bridge))[0]
    assert detail["address"] == "02:42:ac:11:00:01"
    data = detail["linkinfo"]["info_data"]
    assert (data["forward_delay"], data["stp_state"]) == (0, 0)
    assert [each["local"] for each in detail["addr_info"]] == ["172.17.0.1"]


def test_the_pool_avoids_routes_of_the_host(host: Namespace, layout: Layout) -> None:
    host.command("ip", "route", "add", "blackhole", "172.17.128.0/24")
    assert str(host.call(lambda: bridge.ensure(layout)).subnet) == "172.18.0.0/16"


def test_a_given_subnet_is_used(host: Namespace, layout: Layout) -> None:
    made = host.call(lambda: bridge.ensure(layout, "10.9.0.0/24"))
    assert str(made.gateway) == "10.9.0.1/24"


def test_what_a_reboot_takes_is_made_anew(host: Namespace, layout: Layout) -> None:
    made = host.call(lambda: bridge.ensure(layout))
    host.call(lambda: bridge.remove(layout))
    assert layout.bridge not in links(host)
    assert layout.firewall_table not in host.command("nft", "list", "tables")
    again = host.call(lambda: bridge.ensure(layout, made.subnet))
    assert again.gateway == made.gateway
    assert again.ports_lost


def test_a_flushed_firewall_is_noticed(host: Namespace, layout: Layout) -> None:
    host.call(lambda: bridge.ensure(layout))
    host.command("nft", "flush", "ruleset")
    assert host.call(lambda: bridge.ensure(layout)).ports_lost
    assert not host.call(lambda: bridge.ensure(layout)).ports_lost


@pytest.mark.parametrize(
    "damage",
    [
        ["ip", "link", "set", "BRIDGE", "down"],
        ["ip", "link", "delete", "BRIDGE"],
        ["sysctl", "-qw", "net.ipv4.ip_forward=0"],
        ["sysctl", "-qw", "net.ipv4.conf.BRIDGE.route_localnet=0"],
    ],
)
def test_damage_is_repaired(host: Namespace, layout: Layout, damage: list[str]) -> None:
    made = host.call(lambda: bridge.ensure(layout))
    host.command(*(word.replace("BRIDGE", layout.bridge) for word in damage))
    repaired = host.call(lambda: bridge.ensure(layout, made.subnet))
    assert repaired.gateway == made.gateway
    assert not repaired.ports_lost
    state = json.loads(host.command("ip", "-json", "address", "show", layout.bridge))[0]
    assert "UP" in state["flags"]
    assert host.command("sysctl", "-n", "net.ipv4.ip_forward").strip() == "1"


def test_two_installations_live_side_by_side(host: Namespace, layout: Layout, connect: Connect, tmp_path: Path) -> None:
    other = make_layout(tmp_path, "other")
    first = host.call(lambda: bridge.ensure(layout))
    second = host.call(lambda: bridge.ensure(other))
    assert not first.subnet.overlaps(second.subnet)
    host.call(lambda: bridge.remove(other))
    assert layout.bridge in links(host)
    container = connect("172.17.0.2")
    with container.listen(80) as server:
        assert tcp(host, server, "172.17.0.2", 80) == "172.17.0.1"


def test_workers_that_start_together_make_one_bridge(host: Namespace, layout: Layout) -> None:
    def race() -> list[int]:
        children = []
        for _ in range(6):
            if (child := os.fork()) == 0:
                bridge.ensure(layout)
                os._exit(0)
            children.append(child)
        return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]

    assert host.call(race) == [0] * 6
    assert len(host.command("ip", "-4", "address", "show", layout.bridge).splitlines()) == 3


def test_no_other_table_is_touched(host: Namespace, layout: Layout) -> None:
    host.command("nft", "add table ip theirs; add chain ip theirs c { type filter hook forward priority 0; }")
    before = host.command("nft", "list", "table", "ip", "theirs")
    host.call(lambda: bridge.ensure(layout))
    assert host.command("nft", "list", "table", "ip", "theirs") == before
    host.call(lambda: bridge.remove(layout))
    assert host.command("nft", "list", "tables").split() == ["table", "ip", "theirs"]


def test_a_foreign_chain_that_drops_is_named(host: Namespace, layout: Layout) -> None:
    host.call(lambda: bridge.ensure(layout))
    assert host.call(lambda: firewall.warnings(layout)) == []
    host.command("nft", "add table ip x; add chain ip x F { type filter hook forward priority 0; policy drop; }")
    assert "chain F of nftables table ip x" in host.call(lambda: firewall.warnings(layout))[0]
