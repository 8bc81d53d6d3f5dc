"""What a start must find out for itself, because a row or an earlier start may be wrong about it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from controlpanel.operations.containers import start
from engine.containers import runtime
from engine.errors import InvalidArgument
from engine.kernel.nftables import Nftables
from engine.layout import Layout
from engine.networks import ports
from tests.controlpanel.operations.conftest import Make, fresh

pytestmark = pytest.mark.kernel


def test_a_start_that_fails_restores_the_ports_that_were_lost(engine: Layout, make: Make) -> None:
    """The first start after ``nft flush ruleset`` makes the table anew, and is the only one to know."""
    running = make(["sleep", "100"], PortBindings={"80/tcp": [{"HostPort": ""}]})
    start.start(running.id)
    address = running.endpoints.get().ip
    before = ports.published(engine, address)
    with Nftables() as nft:
        nft.run("lose the table", f"delete table ip {engine.firewall_table}")
    failing = make(["true"], Sysctls={"net.nonsense": "1"})
    with pytest.raises(InvalidArgument, match=r"net\.nonsense|net/nonsense"):
        start.start(failing.id)
    assert before
    assert ports.published(engine, address) == before


def test_a_network_is_joined_by_what_the_engine_recorded(engine: Layout, make: Make) -> None:
    """The number in a row may be that of a process of the host by now."""
    donor = make(["sleep", "100"])
    start.start(donor.id)
    type(donor).objects.filter(pk=donor.pk).update(pid=os.getpid())
    joining = make(["sleep", "100"], NetworkMode=f"container:{donor.id}")
    start.start(joining.id)
    recorded = runtime.state(engine, donor.id)
    assert recorded is not None
    theirs, ours = (Path(f"/proc/{pid}/ns/net").readlink() for pid in (recorded.pid, fresh(joining).pid))
    assert theirs == ours
