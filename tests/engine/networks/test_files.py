from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidArgument
from engine.networks import files
from engine.networks.files import Resolver


def test_hosts_lists_loopback_then_extra_hosts_then_the_container() -> None:
    text = files.hosts(files.host_names("web", "example.org"), ["172.17.0.2"], ["db:10.0.0.9"])
    lines = text.splitlines()
    assert lines[:2] == ["127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback"]
    assert lines[-2:] == ["10.0.0.9\tdb", "172.17.0.2\tweb.example.org web"]


@pytest.mark.parametrize(
    ("entry", "line"),
    [
        ("db:10.0.0.9", "10.0.0.9\tdb\n"),
        ("db=10.0.0.9", "10.0.0.9\tdb\n"),
        ("six:2001:db8::1", "2001:db8::1\tsix\n"),
        ("six:[2001:db8::1]", "2001:db8::1\tsix\n"),
        ("six=2001:db8::1", "2001:db8::1\tsix\n"),
        ("gate:host-gateway", "172.17.0.1\tgate\n"),
    ],
)
def test_extra_hosts(entry: str, line: str) -> None:
    assert files.extra_host_lines([entry], "172.17.0.1") == line


def test_host_gateway_needs_a_gateway() -> None:
    with pytest.raises(InvalidArgument, match="host-gateway"):
        files.extra_host_lines(["gate:host-gateway"], None)


def test_resolver_is_read() -> None:
    text = (
        "# c\n; c\ndomain old.org\nsearch a.org b.org\nnameserver 10.0.0.1\nnameserver bogus\nnameserver fe80::1%eth0\n"
    )
    text += "options ndots:2\noptions rotate timeout:1\nsortlist 10.0.0.0\nnameserver\n"
    assert files.parse_resolver(text) == Resolver(
        ("10.0.0.1", "fe80::1%eth0"), ("a.org", "b.org"), ("ndots:2", "rotate", "timeout:1")
    )


def test_servers_that_a_container_cannot_reach_are_left_out() -> None:
    host = Resolver(("127.0.0.53", "::1", "2001:db8::1", "10.0.0.1"), ("a.org",), ("rotate",))
    assert files.container_resolver(host) == Resolver(("10.0.0.1",), ("a.org",), ("rotate",))


def test_public_servers_when_none_is_left() -> None:
    assert files.container_resolver(Resolver(("127.0.0.1",))).nameservers == ("8.8.8.8", "8.8.4.4")


def test_given_values_replace_the_hosts() -> None:
    host = Resolver(("10.0.0.1",), ("a.org",), ("rotate",))
    assert files.container_resolver(host, ["127.0.0.1"], ["."], ["ndots:1"]) == Resolver(
        ("127.0.0.1",), (), ("ndots:1",)
    )
    assert files.container_resolver(host, search=["b.org"]).text() == (
        "nameserver 10.0.0.1\nsearch b.org\noptions rotate\n"
    )


@given(st.text(alphabet=st.sampled_from("nameserchoptis .:#127\n\t%")))
def test_no_text_breaks_the_reader(text: str) -> None:
    resolver = files.container_resolver(files.parse_resolver(text))
    assert files.parse_resolver(resolver.text()) == resolver
