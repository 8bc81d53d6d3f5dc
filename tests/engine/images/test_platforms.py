"""Platforms: how they are written, and which image is for which."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidArgument, NotFound
from engine.images import platforms
from engine.images.platforms import HOST, Platform

COMPONENT = 'platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument'
WORDS = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789_.-", min_size=1, max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["os", "architecture"]), inner),
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("linux/amd64", "linux/amd64"),
        ("Linux/X86_64", "linux/amd64"),
        ("linux/x86-64", "linux/amd64"),
        ("linux/aarch64", "linux/arm64"),
        ("linux/arm64/v8", "linux/arm64/v8"),
        ("linux/arm", "linux/arm"),
        ("linux/armhf", "linux/arm"),
        ("linux/armel", "linux/arm/v6"),
        ("linux/arm/7", "linux/arm/v7"),
        ("linux/i386", "linux/386"),
        ("macos/arm64", "darwin/arm64"),
        ("linux/strange/v3", "linux/strange/v3"),
        ("s390x", "linux/s390x"),
        ("armhf", "linux/arm"),
        ("windows", f"windows/{HOST.architecture}"),
        ("linux", str(HOST)),
    ],
)
def test_parse(text: str, shown: str) -> None:
    assert str(platforms.parse(text)) == shown


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", '"nonsense": unknown operating system or architecture: invalid argument'),
        ("linux/*", '"linux/*": wildcards not yet supported: invalid argument'),
        ("linux/arm/v7/x", '"linux/arm/v7/x": cannot parse platform specifier: invalid argument'),
        ("linux/a b", f'"a b" is an invalid component of "linux/a b": {COMPONENT}'),
        ("/amd64", f'"" is an invalid component of "/amd64": {COMPONENT}'),
        ("a" * 257, "platform specifier is longer than 256 characters: invalid argument"),
    ],
)
def test_parse_refuses(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        platforms.parse(text)
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"os":"linux","architecture":"amd64"}', Platform("linux", "amd64")),
        ('{"OS":"linux","Architecture":"arm","variant":"v7","os.version":null}', Platform("linux", "arm", "v7")),
    ],
)
def test_decode(text: str, found: Platform) -> None:
    assert platforms.decode(text) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("linux/amd64", "failed to parse platform: unexpected"),
        ("[]", "failed to parse platform: not an object"),
        ('{"os":1,"architecture":"amd64"}', "failed to parse platform: os, architecture and variant are short strings"),
        ('{"os":"linux","architecture":"a b"}', 'failed to parse platform: "a b" is none of its components'),
        ('{"os":"linux"}', "both OS and Architecture must be provided"),
        ("{}", "both OS and Architecture must be provided"),
        ('{"variant":"v7"}', "optional platform fields provided, but OS and Architecture are missing"),
        ('{"os.features":["x"]}', "optional platform fields provided, but OS and Architecture are missing"),
    ],
)
def test_decode_refuses(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        platforms.decode(text)


@pytest.mark.parametrize(
    ("wanted", "image", "fits"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/amd64", "linux/x86_64", True),
        ("linux/amd64", "linux/386", True),
        ("linux/386", "linux/amd64", False),
        ("linux/amd64/v3", "linux/amd64/v2", True),
        ("linux/amd64/v2", "linux/amd64/v3", False),
        ("linux/amd64/v2", "linux/amd64", True),
        ("linux/amd64", "linux/arm64", False),
        ("linux/amd64", "windows/amd64", False),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm64", "linux/arm/v7", True),
        ("linux/arm64", "linux/arm64/v9", False),
        ("linux/arm64/v9", "linux/arm64", True),
        ("linux/arm64/v9.1", "linux/arm64/v8.6", True),
        ("linux/arm64/v9.1", "linux/arm64/v8.7", False),
        ("linux/arm64/v8.3", "linux/arm64/v8.2", True),
        ("linux/arm/v7", "linux/arm/v6", True),
        ("linux/arm/v6", "linux/arm/v7", False),
        ("linux/arm/v6", "linux/arm", True),  # names no variant
    ],
)
def test_matches(wanted: str, image: str, fits: bool) -> None:
    system, architecture, *variant = image.split("/")
    config = {"os": system, "architecture": architecture, "variant": "".join(variant)}
    assert platforms.parse(wanted).matches(config) is fits


def test_an_image_that_says_nothing_is_for_no_architecture_in_particular() -> None:
    assert str(platforms.of({})) == "linux"
    assert not Platform("linux", "arm64").matches({})


def test_check_names_both() -> None:
    config = {"os": "linux", "architecture": "amd64"}
    platforms.check(config, "app:1", Platform("linux", "amd64"))
    platforms.check_export(config, Platform("linux", "amd64"))
    with pytest.raises(NotFound, match=r"^no suitable export target found for platform linux/arm64$"):
        platforms.check_export(config, Platform("linux", "arm64"))
    with pytest.raises(NotFound) as caught:
        platforms.check(config, "app:1", Platform("linux", "arm64"))
    assert caught.value.message == (
        "image with reference app:1 was found but its platform (linux/amd64) does not match the specified platform "
        "(linux/arm64)"
    )


@given(st.builds(Platform, WORDS, WORDS, WORDS | st.just("")))
def test_normalising_is_done_once_and_matches_itself(platform: Platform) -> None:
    assert platform.normalised.normalised == platform.normalised
    assert platform.matches(platform._asdict())
    assert platform.matches(platform.normalised._asdict())
    assert platforms.parse(str(platform)).normalised == platform.normalised


@given(st.text(max_size=300))
def test_any_text_is_a_platform_or_refused(text: str) -> None:
    try:
        found = platforms.parse(text)
    except InvalidArgument:
        return
    assert platforms.parse(str(found)).normalised == found.normalised


@given(JSON.map(json.dumps) | st.text())
def test_any_json_is_a_platform_or_refused(text: Any) -> None:
    try:
        found = platforms.decode(text)
    except InvalidArgument:
        return
    assert isinstance(found.matches({}), bool)
    assert platforms.parse(str(found)).normalised == found.normalised
