from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidArgument, SystemFailure
from engine.networks import addresses

TINY = IPv4Network("10.0.0.0/29")  # .2 to .6 can be given out


def test_first_pool_is_dockers() -> None:
    assert addresses.pick_subnet([]) == IPv4Network("172.17.0.0/16")


def test_pools_that_overlap_a_route_are_passed_over() -> None:
    routes = [IPv4Network("172.17.4.0/24"), IPv4Network("172.18.0.0/15")]
    assert addresses.pick_subnet(routes) == IPv4Network("172.20.0.0/16")


def test_smaller_pools_follow() -> None:
    assert addresses.pick_subnet([IPv4Network("172.16.0.0/12")]) == IPv4Network("192.168.0.0/20")
    assert addresses.pick_subnet([IPv4Network("172.16.0.0/12"), IPv4Network("192.168.0.0/21")]) == IPv4Network(
        "192.168.16.0/20"
    )


def test_no_pool_left() -> None:
    with pytest.raises(InvalidArgument, match="fully subnetted"):
        addresses.pick_subnet([IPv4Network("0.0.0.0/1"), IPv4Network("128.0.0.0/1")])


def test_gateway_is_the_first_address() -> None:
    assert str(addresses.gateway(IPv4Network("172.17.0.0/16"))) == "172.17.0.1/16"


def test_addresses_come_in_turn_and_freed_ones_late() -> None:
    assert addresses.allocate(TINY, []) == "10.0.0.2"
    assert addresses.allocate(TINY, ["10.0.0.2"], last="10.0.0.3") == "10.0.0.4"
    assert addresses.allocate(TINY, ["10.0.0.6"], last="10.0.0.6") == "10.0.0.2"
    assert addresses.allocate(TINY, [], last="192.0.2.7") == "10.0.0.2"


def test_a_full_subnet_is_said() -> None:
    with pytest.raises(SystemFailure, match="no available IPv4 addresses"):
        addresses.allocate(TINY, [f"10.0.0.{number}" for number in range(2, 7)])


@given(
    used=st.sets(st.integers(2, 6).map(lambda number: f"10.0.0.{number}"), max_size=4),
    last=st.one_of(st.none(), st.integers(0, 9).map(lambda number: f"10.0.0.{number}")),
)
def test_an_allocated_address_is_free_and_a_hosts(used: set[str], last: str | None) -> None:
    address = addresses.allocate(TINY, used, last)
    assert address not in used
    assert IPv4Address("10.0.0.1") < IPv4Address(address) < TINY.broadcast_address


def test_mac_follows_the_address() -> None:
    assert addresses.mac("172.17.0.2") == "02:42:ac:11:00:02"
