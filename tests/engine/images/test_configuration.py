"""Whatever a stranger writes into an image's configuration: later code can use it, or it is refused with a sentence."""

from __future__ import annotations

import contextlib
import json
from typing import Any, get_args, get_origin, get_type_hints, is_typeddict

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.containers import config
from engine.errors import InvalidArgument
from engine.images import configuration, platforms
from engine.images.configuration import Configuration, ContainerDefaults
from tests.support import archives
from tests.support.configurations import CONTAINER, DOCUMENTS, JSON


def fits(value: Any, kind: Any) -> bool:
    """Whether a value has a type, all the way down; fields that a TypedDict does not name may be anything."""
    if is_typeddict(kind):
        hints = get_type_hints(kind)
        required = kind.__required_keys__ <= value.keys()
        return required and all(fits(each, hints[name]) for name, each in value.items() if name in hints)
    if get_origin(kind) is list:
        return isinstance(value, list) and all(fits(each, get_args(kind)[0]) for each in value)
    if get_origin(kind) is dict:
        key, item = get_args(kind)
        return isinstance(value, dict) and all(fits(name, key) and fits(each, item) for name, each in value.items())
    return kind is Any or type(value) is kind


def check(text: bytes) -> None:
    try:
        found = configuration.parse(text)
    except InvalidArgument:
        with pytest.raises(InvalidArgument, match=r"^(invalid image JSON: .|invalid image JSON, no RootFS key$)"):
            configuration.parse(text)
        return
    assert fits(found, Configuration)
    assert "\0" not in json.dumps(found, ensure_ascii=False)
    assert configuration.parse(orjson.dumps(found)) == found
    assert platforms.HOST.matches(found) in (True, False)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_anything(text: bytes) -> None:
    check(text)


@given(DOCUMENTS)
def test_anything_like_a_configuration(document: dict[str, Any]) -> None:
    check(json.dumps(document).encode())


@given(CONTAINER)
def test_anything_like_the_defaults_of_containers(container: dict[str, Any]) -> None:
    check(json.dumps({"config": container, "rootfs": {}}).encode())


@given(CONTAINER)
def test_containers_can_be_made_of_what_was_let_in(container: dict[str, Any]) -> None:
    """Or not, but then with a sentence: a relative working directory is one."""
    with contextlib.suppress(InvalidArgument):
        found = configuration.parse(json.dumps({"config": container, "rootfs": {}}).encode())
        request = config.decode({"Image": "app", "Cmd": ["sh"]})
        config.merge_image(request, found.get("config", {}))
        assert request.config["Cmd"] == ["sh"]


@given(st.dictionaries(st.text(max_size=8), JSON, max_size=4) | DOCUMENTS)
def test_what_an_earlier_version_let_in_can_be_used_too(document: dict[str, Any]) -> None:
    """Of a right one all is kept; of any other what is right."""
    kept = configuration.salvage(document)
    assert fits(kept, Configuration)
    assert "\0" not in json.dumps(kept, ensure_ascii=False)
    with contextlib.suppress(InvalidArgument, TypeError):  # TypeError: integers that no parser gives
        assert configuration.parse(orjson.dumps(document)) == kept


def test_only_the_wrong_fields_are_lost() -> None:
    document = {
        **archives.config([b"x"], Labels={"a": 1}, User="u", Env=7),
        "history": "none",
        "x": json.loads("[" * 90 + "]" * 90),
        "y": "\0",
        "z": 1,
    }
    kept = configuration.salvage(document)
    assert kept.get("config") == {"Cmd": ["sh"], "User": "u"}
    assert kept["rootfs"] == document["rootfs"]
    assert kept.keys() == {"architecture", "os", "created", "config", "rootfs", "z"}


def test_what_others_write() -> None:
    document = archives.config([b"x"], User="1:2", Volumes={"/v": {}}, ExposedPorts={"80/tcp": {}}, Labels={"a": "b"})
    assert configuration.parse(orjson.dumps(document)) == document


def test_a_later_field_wins_whatever_its_letters() -> None:
    text = b'{"rootfs":{},"config":{"Cmd":["a"],"cmd":["b"],"User":"x","user":null}}'
    assert configuration.parse(text)["config"] == ContainerDefaults(Cmd=["b"], User="x")


def test_no_layers_are_none() -> None:
    for rootfs in ("{}", '{"diff_ids":null}', '{"type":"layers","diff_ids":[]}'):
        assert configuration.parse(f'{{"rootfs":{rootfs}}}'.encode())["rootfs"]["diff_ids"] == []


def test_the_name_of_a_field_in_an_error_is_short() -> None:
    with pytest.raises(InvalidArgument) as caught:
        configuration.parse(orjson.dumps({"rootfs": {}, "config": {"Labels": {"n" * 100_000: 1}}}))
    assert caught.value.message == f"invalid image JSON: config.Labels.{'n' * 64}…: not a string"
