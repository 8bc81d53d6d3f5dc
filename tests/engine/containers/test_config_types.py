"""Tables and types of Docker's objects say the same; what is stored is completed once."""

from __future__ import annotations

import types
import typing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers import config
from engine.containers.config import objects, tables
from engine.containers.config.decode import Fields, decode
from engine.errors import InvalidArgument

PAIRS = {
    objects.Healthcheck: tables.HEALTHCHECK,
    objects.Config: tables.CONFIG,
    objects.PortBinding: tables.PORT_BINDING,
    objects.RestartPolicy: tables.RESTART_POLICY,
    objects.LogConfig: tables.LOG_CONFIG,
    objects.WeightDevice: tables.WEIGHT_DEVICE,
    objects.ThrottleDevice: tables.THROTTLE_DEVICE,
    objects.Device: tables.DEVICE,
    objects.DeviceRequest: tables.DEVICE_REQUEST,
    objects.Ulimit: tables.ULIMIT,
    objects.BindOptions: tables.BIND_OPTIONS,
    objects.VolumeDriver: tables.VOLUME_DRIVER,
    objects.VolumeOptions: tables.VOLUME_OPTIONS,
    objects.TmpfsOptions: tables.TMPFS_OPTIONS,
    objects.ImageOptions: tables.IMAGE_OPTIONS,
    objects.MountConfig: tables.MOUNT,
    objects.Resources: tables.RESOURCES,
    objects.HostConfig: tables.HOST_CONFIG,
    objects.UpdateConfig: tables.UPDATE,
    objects.EndpointIPAMConfig: tables.IPAM_CONFIG,
    objects.EndpointSettings: tables.ENDPOINT,
    objects.NetworkingConfig: tables.NETWORKING,
    objects.ExecConfig: tables.EXEC,
}
WRONG: list[Any] = [
    None, "", "text", 0, 1, -1, True, [], ["text"], [1], [None], [[]], [["text"]], [{}], {}, {"a": "text"}, {"a": 1},
    {"a": None}, {"a": {}}, {"a": []}, {"a": [{}]}, 1.5,
]  # fmt: skip
every_pair = pytest.mark.parametrize(("kind", "fields"), PAIRS.items(), ids=lambda each: getattr(each, "__name__", ""))


def hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def conforms(value: Any, hint: Any) -> bool:
    """Whether a value is exactly of a type; a bool is no int here."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return any(conforms(value, each) for each in arguments)
    if origin is list:
        return type(value) is list and all(conforms(each, arguments[0]) for each in value)
    if origin is dict:
        return type(value) is dict and all(
            conforms(key, arguments[0]) and conforms(each, arguments[1]) for key, each in value.items()
        )
    if typing.is_typeddict(hint):
        members = hints(hint)
        return (
            type(value) is dict
            and value.keys() == members.keys()
            and all(conforms(value[name], member) for name, member in members.items())
        )
    return type(value) is hint


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a type, of sizes that every field takes."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return st.one_of(*[values(each) for each in arguments])
    if origin is list:
        return st.lists(values(arguments[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=2)
    if typing.is_typeddict(hint):
        return st.fixed_dictionaries({name: values(member) for name, member in hints(hint).items()})
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=3),
        bool: st.booleans(),
        int: st.integers(0, 2**16 - 1),
        types.NoneType: st.none(),
    }
    return simple[hint]


def test_every_table_has_its_type() -> None:
    known = [id(fields) for fields in PAIRS.values()]
    assert all(id(each) in known for name, each in vars(tables).items() if name.isupper() and isinstance(each, dict))
    named = {each for each in vars(objects).values() if typing.is_typeddict(each)}
    assert named == PAIRS.keys() | {objects.Empty}


@every_pair
def test_fields_are_the_same(kind: type, fields: Fields) -> None:
    assert hints(kind).keys() == fields.keys()


@every_pair
def test_an_empty_object_is_completed_to_its_type(kind: type, fields: Fields) -> None:
    assert conforms(decode({}, fields, ""), kind)


@every_pair
def test_whatever_a_field_reads_is_of_its_type(kind: type, fields: Fields) -> None:
    for name, hint in hints(kind).items():
        for value in WRONG:
            try:
                read = decode({name: value}, fields, "")[name]
            except InvalidArgument:
                continue
            assert conforms(read, hint), (name, value, read)


@every_pair
def test_a_field_reads_all_that_its_type_allows(kind: type, fields: Fields) -> None:
    """So a type is not wider than its table: a None that no table yields would come back as something else."""

    @given(values(kind))
    def check(value: dict[str, Any]) -> None:
        assert decode(value, fields, "") == value

    check()


def test_a_row_of_an_older_version_is_completed() -> None:
    stored = {"Memory": 7, "RestartPolicy": {"Name": "always"}, "Mounts": [{"Type": "bind", "BindOptions": {}}]}
    host = config.complete_host_config(stored)
    assert host["Memory"] == 7
    assert host["RestartPolicy"] == {"Name": "always", "MaximumRetryCount": 0}
    assert host["NetworkMode"] == "bridge"
    assert conforms(host, objects.HostConfig)
    assert conforms(config.complete_config({"Image": "busybox"}), objects.Config)
    assert conforms(config.complete_exec({}), objects.ExecConfig)


@given(values(objects.HostConfig))
def test_a_row_of_this_version_stays_as_it_is(stored: objects.HostConfig) -> None:
    assert config.complete_host_config(dict(stored)) == stored


@every_pair
def test_every_object_inside_an_object_is_known_to_be_one(kind: type, fields: Fields) -> None:
    """Else what a version adds to it would be missing in the rows of an older one."""
    for name, hint in hints(kind).items():
        found = objects_in(hint)
        assert fields[name].inner is (PAIRS[found[0]] if found else None)


def objects_in(hint: Any) -> list[Any]:
    """The objects of a type, also those in a list; maps hold what is not going to grow."""
    if typing.is_typeddict(hint):
        return [hint]
    if typing.get_origin(hint) in {types.UnionType, list}:
        return [found for part in typing.get_args(hint) for found in objects_in(part)]
    return []
