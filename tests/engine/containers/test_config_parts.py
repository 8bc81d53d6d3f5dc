"""Signals, ports, mounts, sets of CPUs."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers import config
from engine.containers.config import mounts as config_mounts
from engine.containers.config import ports as config_ports
from engine.containers.config import resources as config_resources
from engine.containers.config import signals as config_signals
from engine.containers.config.mounts import MountRequest
from engine.containers.config.objects import Config, HostConfig
from engine.containers.config.ports import PortRequest
from engine.errors import InvalidArgument, MuelleError


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("9", 9),
        ("KILL", 9),
        ("sigkill", 9),
        ("SIGRTMIN", 34),
        ("RTMIN+3", 37),
        ("SIGRTMAX-1", 63),
        ("64", 64),
        ("CLD", 17),
    ],
)
def test_signals(text: str, number: int) -> None:
    assert config_signals.number(text) == number


@pytest.mark.parametrize("text", ["", "0", "65", "-1", "SIGFOO", "9.0", "²", "KILL\n", "RTMIN+99", "SIGSIGKILL"])
def test_what_is_no_signal(text: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid signal: "):
        config_signals.number(text)


@given(st.text(max_size=12))
def test_any_text_is_a_signal_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidArgument):
        assert 1 <= config_signals.number(text) <= 64


@given(st.integers(1, 65535), st.sampled_from(["tcp", "udp", "sctp"]))
def test_ports_round_trip(port: int, protocol: str) -> None:
    assert config_ports.parse_port(f"{port}/{protocol}") == (port, protocol)
    assert config_ports.parse_port(str(port)) == (port, "tcp")


@given(st.text(max_size=12))
def test_any_text_is_a_range_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidArgument):
        first, last = config_ports.parse_range(text)
        assert 0 <= first <= last <= 65535


def host_config(**fields: Any) -> tuple[Config, HostConfig]:
    body = {"Image": "x", "Cmd": ["c"], "ExposedPorts": {"53/udp": {}, "80": {}}, "HostConfig": fields}
    request = config.decode(body)
    config.validate(request, config.Host(2, cgroup_v2=True))
    return request.config, request.host_config


def test_what_is_published() -> None:
    bindings = {"80": [{"HostPort": "8080"}, {"HostIp": "127.0.0.1", "HostPort": "8000-8010"}], "443/tcp": None}
    wanted = config_ports.requests(*host_config(PortBindings=bindings, PublishAllPorts=True))
    assert wanted == [
        PortRequest("udp", 53, "", 0, 0),
        PortRequest("tcp", 80, "127.0.0.1", 8000, 8010),
        PortRequest("tcp", 80, "", 8080, 8080),
        PortRequest("tcp", 443, "", 0, 0),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/a:/b", MountRequest("bind", "/a", "/b", False, "rprivate", "", create_source=True)),
        ("/a/../c:/b/:ro", MountRequest("bind", "/c", "/b", True, "rprivate", "ro", create_source=True)),
        ("/a:/b:rslave,Z", MountRequest("bind", "/a", "/b", False, "rslave", "rslave,Z", create_source=True)),
        ("vol:/b", MountRequest("volume", "vol", "/b", mode="z")),
        ("vol:/b:nocopy,ro", MountRequest("volume", "vol", "/b", True, mode="nocopy,ro", copy=False)),
        ("/b", MountRequest("volume", "", "/b", mode="z")),
    ],
)
def test_binds(text: str, expected: MountRequest) -> None:
    assert config_mounts.requests(*host_config(Binds=[text])) == [expected]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"Binds": ["a:b:c:d"]}, "invalid volume specification: 'a:b:c:d'"),
        ({"Binds": ["/a:ro"]}, "invalid volume specification: '/a:ro'"),
        ({"Binds": [":/x"]}, "invalid volume specification: ':/x'"),
        ({"Binds": ["/a:/b:foo"]}, "invalid mode: foo"),
        ({"Binds": ["/a:/b:ro,rw"]}, "invalid mode: ro,rw"),
        (
            {"Binds": ["/a:/"]},
            "invalid volume specification: '/a:/': invalid specification: destination can't be '/'",
        ),
        (
            {"Binds": ["/a:b"]},
            "invalid volume specification: '/a:b': invalid mount path: 'b' mount path must be absolute",
        ),
        ({"Binds": ["/a:/x", "/b:/x/"]}, "Duplicate mount point: /x"),
        ({"Binds": ["/a:/x"], "Tmpfs": {"/x": ""}}, "Duplicate mount point: /x"),
        ({"Tmpfs": {"/x": "foo"}}, 'invalid tmpfs option ["foo"]'),
        (
            {"Mounts": [{"Type": "bind", "Source": "rel", "Target": "/x"}]},
            "invalid mount config for type \"bind\": invalid mount path: 'rel' mount path must be absolute",
        ),
        (
            {"Mounts": [{"Type": "volume", "Target": "/x", "BindOptions": {}}]},
            'invalid mount config for type "volume": BindOptions must not be specified on mount type "volume"',
        ),
        (
            {"Mounts": [{"Type": "foo", "Target": "/x"}]},
            'invalid mount config for type "foo": mount type unknown',
        ),
        (
            {"Binds": ["a/b:/x"]},
            (
                'create a/b: "a/b" includes invalid characters for a local volume name, only '
                '"[a-zA-Z0-9][a-zA-Z0-9_.-]" '
                "are allowed. If you intended to pass a host directory, use absolute path"
            ),
        ),
        ({"VolumesFrom": ["web:xx"]}, "invalid mode: xx"),
    ],
)
def test_mount_refusals(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(MuelleError) as caught:
        host_config(**fields)
    assert caught.value.message == message


def test_mount_objects() -> None:
    mounts = [
        {"Type": "bind", "Source": "/s", "Target": "/t", "ReadOnly": True},
        {"Type": "tmpfs", "Target": "/tmp", "TmpfsOptions": {"SizeBytes": 1024, "Mode": 0o1777}},
        {"Type": "volume", "Source": "vol", "Target": "/v", "VolumeOptions": {"NoCopy": True, "Labels": {"a": "b"}}},
    ]
    assert config_mounts.requests(*host_config(Mounts=mounts)) == [
        MountRequest("bind", "/s", "/t", True, "rprivate"),
        MountRequest("tmpfs", "", "/tmp", options="size=1024,mode=1777"),
        MountRequest("volume", "vol", "/v", mode="z", copy=False, labels={"a": "b"}),
    ]


def test_image_volumes_fill_what_is_left() -> None:
    own, host = host_config(Binds=["/a:/data"])
    wanted = config_mounts.requests({**own, "Volumes": {"/data/": {}, "/more": {}}}, host)
    assert [(each.type, each.target) for each in wanted] == [("bind", "/data"), ("volume", "/more")]


def test_volumes_from() -> None:
    _, host = host_config(VolumesFrom=["web", "db:ro"])
    assert config_mounts.volumes_from(host) == [("web", False), ("db", True)]


@given(st.text(max_size=24))
def test_any_bind_is_accepted_or_refused(text: str) -> None:
    with contextlib.suppress(MuelleError):
        for request in config_mounts.requests(*host_config(Binds=[text])):
            assert request.target.startswith("/")
            assert request.target != "/"
            assert ".." not in request.target.split("/")


@given(st.sets(st.integers(0, 64), max_size=8))
def test_cpu_sets(numbers: set[int]) -> None:
    assert config_resources.parse_cpuset(",".join(map(str, numbers))) == numbers


@pytest.mark.parametrize("text", ["x", "3-1", "1-", "-1", "0-99999", "1;2", "9999"])
def test_what_is_no_cpu_set(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        config_resources.parse_cpuset(text)


def test_cpus_that_are_not_there() -> None:
    with pytest.raises(InvalidArgument, match="Requested CPUs are not available - requested 0-3, available: 0,1"):
        config_resources.check_available(host_config(CpusetCpus="0-3")[1], {0, 1}, {0})
