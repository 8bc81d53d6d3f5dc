"""Capabilities: Docker's arithmetic, and what the kernel says of a process that has been limited."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidArgument
from engine.kernel import capabilities


def status_of_child(bits: int) -> dict[str, int]:
    """The capability lines of /proc/self/status in a child that was limited to ``bits``."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            capabilities.limit_bounding(bits)
            capabilities.limit(bits)
            os.write(writer, Path("/proc/self/status").read_bytes())
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader) as file:
        lines = [line.split(":\t") for line in file if line.startswith("Cap")]
    os.waitpid(pid, 0)
    return {name: int(value, 16) for name, value in lines}


@pytest.mark.kernel
def test_a_limited_process_has_exactly_the_default_set() -> None:
    bits = capabilities.mask(capabilities.DEFAULT)
    assert bits == 0xA80425FB
    assert status_of_child(bits) == {"CapInh": 0, "CapPrm": bits, "CapEff": bits, "CapBnd": bits, "CapAmb": 0}


@pytest.mark.kernel
def test_asking_for_everything_gives_what_the_engine_has() -> None:
    everything = capabilities.mask(capabilities.NAMES)
    assert status_of_child(everything)["CapEff"] == capabilities.available() & everything


@pytest.mark.parametrize(
    ("add", "drop", "expected"),
    [
        (None, None, capabilities.DEFAULT),
        (["net_admin"], [], capabilities.DEFAULT | {"CAP_NET_ADMIN"}),
        (["CAP_SYS_TIME"], ["ALL"], {"CAP_SYS_TIME"}),
        ([], ["all"], set()),
        (["ALL"], ["SYS_ADMIN"], set(capabilities.NAMES) - {"CAP_SYS_ADMIN"}),
        (["ALL"], ["ALL"], set(capabilities.NAMES)),
        ([], [" chown "], capabilities.DEFAULT - {"CAP_CHOWN"}),
        (["CHOWN"], ["CHOWN"], capabilities.DEFAULT),
    ],
)
def test_add_and_drop_follow_docker(add: list[str] | None, drop: list[str] | None, expected: set[str]) -> None:
    assert capabilities.compute(add, drop, privileged=False) == expected
    assert capabilities.compute(add, drop, privileged=True) == set(capabilities.NAMES)


@pytest.mark.parametrize(("add", "drop", "field"), [(["FOO"], [], "CapAdd"), ([], ["cap_foo"], "CapDrop")])
def test_an_unknown_name_is_refused(add: list[str], drop: list[str], field: str) -> None:
    with pytest.raises(InvalidArgument, match=f'invalid {field}: unknown capability: "CAP_FOO"'):
        capabilities.compute(add, drop, privileged=False)


@given(st.sets(st.sampled_from(capabilities.NAMES)))
def test_a_mask_names_what_it_was_made_of(chosen: set[str]) -> None:
    assert capabilities.names(capabilities.mask(chosen)) == chosen
