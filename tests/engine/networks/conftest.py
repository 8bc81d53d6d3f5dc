from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from engine.layout import Layout
from engine.networks import addresses, bridge, endpoint
from engine.networks.endpoint import EndpointPlan
from tests.engine.networks.namespaces import Namespace, wire

Connect = Callable[[str], Namespace]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return make_layout(tmp_path, "one")


def plan_of(address: str) -> EndpointPlan:
    """An endpoint of the default bridge, which takes the first pool on a host that has nothing else."""
    endpoint_id = f"{address.rpartition('.')[2]:0>64}"[::-1]
    return EndpointPlan(endpoint_id, "", "172.17.0.0/16", "172.17.0.1", address, addresses.mac(address))


def attach(host: Namespace, layout: Layout, container: Namespace, plan: EndpointPlan) -> EndpointPlan:
    """Attach a namespace as the start of a container does, with the default route through this endpoint."""

    def work() -> EndpointPlan:
        device = bridge.ensure(layout)
        endpoint.loopback(container.netlink)
        made = endpoint.attach(layout, plan._replace(bridge=device.name), container.descriptor, container.netlink)
        endpoint.set_default_route(made, container.netlink)
        return made

    return host.call(work)


def make_layout(directory: Path, name: str) -> Layout:
    made = Layout(directory / name, directory / f"{name}-run")
    made.run.mkdir()
    return made


@pytest.fixture(params=["plain", "br_netfilter"])
def host(request: pytest.FixtureRequest) -> Iterator[Namespace]:
    """The machine Muelle runs on; bridged frames pass the firewall or they do not, as the host's kernel is set up."""
    with Namespace() as machine:
        filtering = Path("/proc/sys/net/bridge")
        if request.param == "br_netfilter" and not filtering.exists():
            pytest.skip("br_netfilter is not loaded")
        if filtering.exists():
            machine.sysctl("net/bridge/bridge-nf-call-iptables", str(int(request.param == "br_netfilter")))
        yield machine


@pytest.fixture
def outside(host: Namespace) -> Iterator[Namespace]:
    """Another host on 198.51.100.2; the machine under test is 198.51.100.1."""
    with Namespace() as machine:
        wire(host, machine)
        yield machine


@pytest.fixture
def connect(host: Namespace, layout: Layout) -> Iterator[Connect]:
    """A container with the address 172.17.0.<last>."""
    with ExitStack() as stack:

        def make(address: str) -> Namespace:
            container = stack.enter_context(Namespace(loopback=False))
            attach(host, layout, container, plan_of(address))
            return container

        yield make
