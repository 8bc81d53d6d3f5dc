"""Docker's create body: decoding, defaults, refusals, and merging with an image."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers import config
from engine.containers.config.tables import CONFIG, HOST_CONFIG
from engine.errors import InvalidArgument, MuelleError, NotFound, Unsupported

HOST = config.Host(cpus=2, cgroup_v2=False)


def complete(body: dict[str, Any], image: dict[str, Any] | None = None) -> config.CreateRequest:
    request = config.decode({"Image": "busybox", **body})
    config.validate(request, HOST)
    config.merge_image(request, {"Cmd": ["sh"]} if image is None else image)
    return request


def refusal(body: dict[str, Any]) -> MuelleError:
    with pytest.raises(MuelleError) as caught:
        complete(body)
    return caught.value


def test_an_empty_request_gets_every_default() -> None:
    host = complete({}).host_config
    assert host.keys() == HOST_CONFIG.keys()
    assert host["NetworkMode"] == "bridge"
    assert host["RestartPolicy"] == {"Name": "no", "MaximumRetryCount": 0}
    assert host["LogConfig"] == {"Type": "json-file", "Config": {}}
    assert (host["IpcMode"], host["CgroupnsMode"], host["Runtime"]) == ("private", "private", "runc")
    assert host["ShmSize"] == 64 * 1024**2
    assert "/proc/kcore" in (host["MaskedPaths"] or ())


def test_the_clients_ways_to_say_unset() -> None:
    sent = {
        "NetworkMode": "default",
        "MemorySwappiness": -1,
        "PidsLimit": 0,
        "OomKillDisable": False,
        "ConsoleSize": [0, 0],
        "RestartPolicy": {"Name": "", "MaximumRetryCount": 0},
        "LogConfig": {"Type": "", "Config": None},
        "Binds": None,
    }
    host = complete({"HostConfig": sent, "NetworkingConfig": {"EndpointsConfig": {"default": {}}}}).host_config
    assert host["MemorySwappiness"] is None
    assert host["PidsLimit"] is None
    assert host["LogConfig"] == {"Type": "json-file", "Config": {}}


def test_the_default_endpoint_is_the_bridges() -> None:
    request = complete({"NetworkingConfig": {"EndpointsConfig": {"default": None}}})
    assert list(request.networking["EndpointsConfig"]) == ["bridge"]


@given(st.sampled_from(sorted(CONFIG)), st.data())
def test_field_names_match_in_any_case(field: str, data: st.DataObject) -> None:
    swapped = "".join(letter.upper() if data.draw(st.booleans()) else letter.lower() for letter in field)
    with pytest.raises(InvalidArgument, match=f"Config.{field}"):
        config.decode({swapped: 1.5})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(sorted(CONFIG)), JSON, max_size=3),
    st.dictionaries(st.sampled_from(sorted(HOST_CONFIG)), JSON, max_size=3),
    st.dictionaries(st.sampled_from(sorted(CONFIG)), JSON, max_size=2),
)
def test_whatever_is_sent_is_accepted_or_refused(
    body: dict[str, Any], host_config: dict[str, Any], image: dict[str, Any]
) -> None:
    with contextlib.suppress(InvalidArgument, NotFound, Unsupported):
        json.dumps(complete({**body, "HostConfig": host_config}, image))


@pytest.mark.parametrize(
    ("request_part", "image", "expected"),
    [
        ({}, {"Entrypoint": ["e"], "Cmd": ["c"]}, (["e"], ["c"])),
        ({"Cmd": ["x"]}, {"Entrypoint": ["e"], "Cmd": ["c"]}, (["e"], ["x"])),
        ({"Entrypoint": ["y"]}, {"Entrypoint": ["e"], "Cmd": ["c"]}, (["y"], None)),
        ({"Entrypoint": []}, {"Entrypoint": ["e"], "Cmd": ["c"]}, ([], ["c"])),
        ({"Entrypoint": [""], "Cmd": ["x"]}, {"Entrypoint": ["e"], "Cmd": ["c"]}, (None, ["x"])),
        ({"Entrypoint": "y", "Cmd": "x z"}, {}, (["y"], ["x z"])),
    ],
)
def test_command_and_entrypoint(
    request_part: dict[str, Any], image: dict[str, Any], expected: tuple[list[str] | None, list[str] | None]
) -> None:
    merged = complete(request_part, image).config
    assert (merged["Entrypoint"], merged["Cmd"]) == expected


@pytest.mark.parametrize("body", [{}, {"Entrypoint": [""]}, {"Cmd": []}])
def test_without_any_command(body: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match="no command specified"):
        complete(body, {})


def test_the_user_wins_over_the_image() -> None:
    image = {
        "Env": ["A=image", "B=image"],
        "Labels": {"l": "image", "m": "image"},
        "User": "nobody",
        "WorkingDir": "/image",
        "StopSignal": "SIGHUP",
        "Volumes": {"/v": {}},
        "ExposedPorts": {"80/tcp": {}},
        "Cmd": ["c"],
    }
    merged = complete({"Env": ["A=user"], "Labels": {"l": "user"}, "WorkingDir": "/user/../x"}, image).config
    assert merged["Env"] == ["A=user", "B=image"]
    assert merged["Labels"] == {"l": "user", "m": "image"}
    assert (merged["User"], merged["WorkingDir"], merged["StopSignal"]) == ("nobody", "/x", "SIGHUP")
    assert merged["Volumes"] == {"/v": {}}
    assert merged["ExposedPorts"] == {"80/tcp": {}}


def test_what_an_image_says_and_no_kernel_knows_is_not_inherited() -> None:
    """A signal without a number would make each stop fail; a variable without a name, each start."""
    merged = complete({}, {"Cmd": ["c"], "StopSignal": "BOGUS", "Env": ["", "=x", "A=1", "B"]}).config
    assert (merged["StopSignal"], merged["Env"]) == ("", ["A=1", "B"])


def test_an_images_health_check_is_named_and_ignored() -> None:
    request = config.decode({"Image": "x"})
    config.validate(request, HOST)
    [warning] = config.merge_image(request, {"Cmd": ["c"], "Healthcheck": {"Test": ["CMD", "true"]}})
    assert "health" in warning
    assert request.config["Healthcheck"] is None


@pytest.mark.parametrize("test", [[], ["NONE"], None])
def test_no_health_check_is_fine(test: list[str] | None) -> None:
    complete({"Healthcheck": {"Test": test}})


MESSAGES = [
    ({"WorkingDir": "rel"}, "the working directory 'rel' is invalid, it needs to be an absolute path"),
    ({"Env": ["=foo"]}, "invalid environment variable: =foo"),
    ({"Env": ["A\0=b"]}, "invalid Config.Env: the value holds a NUL byte"),
    ({"StopSignal": "FOO"}, "invalid signal: FOO"),
    ({"Healthcheck": {"Test": ["CMD", "x"], "Interval": 5}}, "Interval in Healthcheck cannot be less than 1ms"),
    ({"Healthcheck": {"Test": ["CMD", "x"], "Retries": -1}}, "Retries in Healthcheck cannot be negative"),
    ({"ExposedPorts": {"foo": {}}}, 'invalid port specification: "foo"'),
    ({"ExposedPorts": {"80/xyz": {}}}, "invalid proto: xyz"),
    ({"Tty": "x"}, "invalid JSON: json: cannot unmarshal string into Go struct field Config.Tty of type bool"),
    (
        {"HostConfig": {"Memory": 2**63}},
        f"invalid JSON: json: cannot unmarshal number {2**63} into Go struct field HostConfig.Memory of type int64",
    ),
    ({"HostConfig": {"Memory": 4096}}, "Minimum memory limit allowed is 6MB"),
    ({"HostConfig": {"Memory": -1}}, "Minimum memory limit allowed is 6MB"),
    (
        {"HostConfig": {"Memory": 2**27, "MemorySwap": 2**26}},
        "Minimum memoryswap limit should be larger than memory limit, see usage",
    ),
    (
        {"HostConfig": {"MemorySwap": 2**26}},
        "You should always set the Memory limit when using Memoryswap limit, see usage",
    ),
    ({"HostConfig": {"MemorySwappiness": 101}}, "Invalid value: 101, valid memory swappiness range is 0-100"),
    (
        {"HostConfig": {"NanoCpus": 3 * 10**9}},
        "range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available",
    ),
    (
        {"HostConfig": {"NanoCpus": 10**9, "CpuPeriod": 1000}},
        "Conflicting options: Nano CPUs and CPU Period cannot both be set",
    ),
    ({"HostConfig": {"CpuShares": -1}}, "invalid CPU shares (-1): value must be a positive integer"),
    ({"HostConfig": {"CpusetCpus": "x"}}, "Invalid value x for cpuset cpus"),
    ({"HostConfig": {"BlkioWeight": 5}}, "Range of blkio weight is from 10 to 1000"),
    ({"HostConfig": {"ShmSize": -1}}, "SHM size can not be less than 0"),
    ({"HostConfig": {"OomScoreAdj": 1001}}, "Invalid value 1001, range for oom score adj is [-1000, 1000]"),
    ({"HostConfig": {"IpcMode": "x"}}, "invalid IPC mode: x"),
    ({"HostConfig": {"PidMode": "container:"}}, "invalid PID mode: container:"),
    ({"HostConfig": {"UTSMode": "container:x"}}, "invalid UTS mode: container:x"),
    ({"HostConfig": {"CgroupnsMode": "x"}}, "invalid cgroup namespace mode: x"),
    ({"HostConfig": {"Isolation": "hyperv"}}, "invalid isolation 'hyperv' on linux"),
    ({"HostConfig": {"Runtime": "kata"}}, "unknown or invalid runtime name: kata"),
    (
        {"HostConfig": {"RestartPolicy": {"Name": "foo"}}},
        "invalid restart policy: unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
    ),
    (
        {"HostConfig": {"RestartPolicy": {"Name": "always", "MaximumRetryCount": 1}}},
        "invalid restart policy: maximum retry count can only be used with 'on-failure'",
    ),
    (
        {"HostConfig": {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": -1}}},
        "invalid restart policy: maximum retry count cannot be negative",
    ),
    (
        {"HostConfig": {"AutoRemove": True, "RestartPolicy": {"Name": "always"}}},
        "can't create 'AutoRemove' container with restart policy",
    ),
    ({"HostConfig": {"CapAdd": ["foo"]}}, 'invalid CapAdd: unknown capability: "CAP_FOO"'),
    ({"HostConfig": {"SecurityOpt": ["foo"]}}, 'invalid --security-opt 1: "foo"'),
    ({"HostConfig": {"SecurityOpt": ["foo=bar"]}}, 'invalid --security-opt 2: "foo=bar"'),
    ({"HostConfig": {"LogConfig": {"Type": "asdf"}}}, "logger: no log driver named 'asdf' is registered"),
    (
        {"HostConfig": {"LogConfig": {"Type": "json-file", "Config": {"x": "1"}}}},
        "unknown log opt 'x' for json-file log driver",
    ),
    ({"HostConfig": {"ExtraHosts": ["x"]}}, 'bad format for add-host: "x"'),
    ({"HostConfig": {"ExtraHosts": ["x:y"]}}, 'invalid IP address in add-host: "y"'),
    ({"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "x"}]}}}, 'invalid port specification: "x"'),
    ({"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "99999"}]}}}, 'invalid port specification: "99999"'),
    ({"HostConfig": {"Ulimits": [{"Name": "foo"}]}}, "invalid ulimit type: foo"),
    (
        {"HostConfig": {"DeviceCgroupRules": ["c 1:3 r", "c 4294967296:0 r"]}},
        "invalid device cgroup rule format: 'c 4294967296:0 r'",
    ),
    (
        {"HostConfig": {"ConsoleSize": [24, 65536]}},
        "invalid JSON: json: cannot unmarshal number 65536 into Go struct field HostConfig.ConsoleSize of type uint",
    ),
    (
        {"HostConfig": {"Ulimits": [{"Name": "nofile", "Soft": 2, "Hard": 1}]}},
        "ulimit soft limit must be less than or equal to hard limit: 2 > 1",
    ),
    (
        {"HostConfig": {"DeviceRequests": [{"Count": -1, "Capabilities": [["gpu"]]}]}},
        'could not select device driver "" with capabilities: [[gpu]]',
    ),
    (
        {"Hostname": "h", "HostConfig": {"NetworkMode": "container:x"}},
        "conflicting options: hostname and the network mode",
    ),
    (
        {"HostConfig": {"NetworkMode": "container:x", "PublishAllPorts": True}},
        "conflicting options: port publishing and the container type network mode",
    ),
    (
        {"NetworkingConfig": {"EndpointsConfig": {"bridge": {"IPAMConfig": {"IPv4Address": "172.17.0.9"}}}}},
        "user specified IP address is supported on user defined networks only",
    ),
    (
        {"NetworkingConfig": {"EndpointsConfig": {"bridge": {"Aliases": ["a"]}}}},
        "network-scoped alias is supported only for containers in user defined networks",
    ),
]


@pytest.mark.parametrize(("body", "message"), MESSAGES, ids=[message[:40] for _, message in MESSAGES])
def test_refusals_are_dockers(body: dict[str, Any], message: str) -> None:
    error = refusal(body)
    assert (type(error), error.message) == (InvalidArgument, message)


@pytest.mark.parametrize(
    "body",
    [
        {"Healthcheck": {"Test": ["CMD", "true"]}},
        {"NetworkDisabled": True},
        {"HostConfig": {"LogConfig": {"Type": "local"}}},
        {"HostConfig": {"LogConfig": {"Type": "json-file", "Config": {"compress": "true"}}}},
        {"HostConfig": {"Links": ["a:b"]}},
        {"HostConfig": {"PidMode": "container:x"}},
        {"HostConfig": {"CgroupParent": "/x"}},
        {"MacAddress": "02:42:ac:11:00:02"},
        {"NetworkingConfig": {"EndpointsConfig": {"bridge": {"DriverOpts": {"a": "b"}}}}},
        {"HostConfig": {"StorageOpt": {"size": "1g"}}},
        {"HostConfig": {"SecurityOpt": ["apparmor=mine"]}},
        {"HostConfig": {"Mounts": [{"Type": "image", "Source": "x", "Target": "/x"}]}},
    ],
)
def test_what_is_not_built_says_so(body: dict[str, Any]) -> None:
    assert isinstance(refusal(body), Unsupported)


def test_published_ports_in_the_hosts_network_are_warned_about() -> None:
    request = config.decode(
        {"Image": "x", "HostConfig": {"NetworkMode": "host", "PortBindings": {"80/tcp": [{"HostPort": "80"}]}}}
    )
    assert config.validate(request, HOST) == ["Published ports are discarded when using host network mode"]


def test_security_options_get_one_spelling() -> None:
    wanted = ["no-new-privileges:true", "seccomp:unconfined", "label=disable", "apparmor=unconfined"]
    host = complete({"HostConfig": {"SecurityOpt": wanted}}).host_config
    assert host["SecurityOpt"] == [
        "no-new-privileges",
        "seccomp=unconfined",
        "label=disable",
        "apparmor=unconfined",
    ]
    assert complete({"HostConfig": {"SecurityOpt": ["no-new-privileges=0"]}}).host_config["SecurityOpt"] is None


def test_capabilities_get_their_full_names() -> None:
    host = complete(
        {"HostConfig": {"CapAdd": ["net_admin", "CAP_SYS_TIME", "NET_ADMIN"], "CapDrop": ["all"]}}
    ).host_config
    assert (host["CapAdd"], host["CapDrop"]) == (["CAP_NET_ADMIN", "CAP_SYS_TIME"], ["ALL"])


def test_privileged_containers_have_no_masks() -> None:
    host = complete({"HostConfig": {"Privileged": True}}).host_config
    assert (host["MaskedPaths"], host["ReadonlyPaths"]) == (None, None)


@pytest.mark.parametrize("name", ["a/b", "-x", "x", "", "/", "a b", "ä" * 3, "a" * 256, "x\n"])
def test_bad_names(name: str) -> None:
    with pytest.raises(InvalidArgument, match="Invalid container name"):
        config.check_name(name)


def test_good_names_lose_their_slash() -> None:
    assert config.check_name("/web_1.a-b") == "web_1.a-b"


def test_update_keeps_what_it_does_not_name() -> None:
    resources, policy, warnings = config.decode_update({"Memory": 2**27, "PidsLimit": 0}, HOST)
    assert (resources["Memory"], resources["MemorySwap"], policy, warnings) == (2**27, 0, None, [])
    assert resources["PidsLimit"] == -1


def test_exec_needs_a_command() -> None:
    with pytest.raises(InvalidArgument, match="No exec command specified"):
        config.decode_exec({"Cmd": []})


def test_shown_leaves_out_what_docker_leaves_out() -> None:
    shown = config.shown(complete({"StopTimeout": 0}).config)
    assert "Healthcheck" not in shown
    assert shown["StopTimeout"] == 0
    assert shown["Volumes"] is None
