"""Names of images: Docker's grammar, completions and error texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import InvalidArgument
from engine.images import references

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "canonical", "familiar"),
    [
        ("busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36", "busybox:1.36"),
        ("library/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("index.docker.io/busybox", "docker.io/library/busybox:latest", "busybox:latest"),
        ("me/app", "docker.io/me/app:latest", "me/app:latest"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("127.0.0.1:5000/a/b:1", "127.0.0.1:5000/a/b:1", "127.0.0.1:5000/a/b:1"),
        ("[::1]:5000/a", "[::1]:5000/a:latest", "[::1]:5000/a:latest"),
        ("Upper/app", "Upper/app:latest", "Upper/app:latest"),
        (f"app@sha256:{HEX}", f"docker.io/library/app@sha256:{HEX}", f"app@sha256:{HEX}"),
        (f"app:1@sha256:{HEX}", f"docker.io/library/app:1@sha256:{HEX}", f"app:1@sha256:{HEX}"),
        ("a__b.c-d--e", "docker.io/library/a__b.c-d--e:latest", "a__b.c-d--e:latest"),
        ("docker.io/library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
    ],
)
def test_complete_and_familiar(text: str, canonical: str, familiar: str) -> None:
    parsed = references.parse(text)
    assert (parsed.canonical, parsed.familiar) == (canonical, familiar)
    assert references.parse(parsed.familiar) == parsed
    assert references.parse(parsed.canonical) == parsed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid reference format"),
        ("a:", "invalid reference format"),
        ("a/", "invalid reference format"),
        ("/a", "invalid reference format"),
        ("a..b", "invalid reference format"),
        ("a b", "invalid reference format"),
        ("a:b:c/d", "invalid reference format"),
        ("a@sha256:xyz", "invalid reference format"),
        ("x:" + "t" * 129, "invalid reference format"),
        ("a\n", "invalid reference format"),
        ("BusyBox", "invalid reference format: repository name (library/BusyBox) must be lowercase"),
        ("me/App:1", "invalid reference format: repository name (me/App) must be lowercase"),
        (HEX, f"invalid repository name ({HEX}), cannot specify 64-byte hexadecimal strings"),
        ("x" * 256, "repository name must not be more than 255 characters"),
        (f"a@sha256:{HEX[:40]}", "invalid checksum digest length"),
        (f"a@md5:{HEX}", "unsupported digest algorithm"),
        (f"{'a.' * 200}b/{'p' * 100}:{'t' * 100}", "invalid reference format"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        references.parse(text)
    assert caught.value.message == message


@given(st.text(max_size=400))
def test_any_text_is_a_name_or_refused(text: str) -> None:
    try:
        parsed = references.parse(text)
    except InvalidArgument:
        return
    assert references.parse(parsed.familiar) == parsed
    assert "/" in parsed.canonical


@given(st.from_regex(r"\A([a-z]{1,5}\.[a-z]{2,3}/)?[a-z0-9]{1,8}(/[a-z0-9]{1,8}){0,3}(:[a-z0-9]{1,8})?\Z"))
def test_familiar_names_mean_the_same(text: str) -> None:
    parsed = references.parse(text)
    assert references.parse(parsed.familiar) == parsed == references.parse(parsed.canonical)


@pytest.mark.parametrize("text", ["sha256:foo", "sha256", "docker.io/library/sha256:1", "library/sha256:x"])
def test_the_name_of_an_algorithm_is_no_tag(text: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        references.parse_tag(text)
    assert caught.value.message == "refusing to create an ambiguous tag using digest algorithm as name"


def test_a_digest_is_no_tag() -> None:
    with pytest.raises(InvalidArgument, match="refusing to create a tag with a digest reference"):
        references.parse_tag(f"app:1@sha256:{HEX}")


@pytest.mark.parametrize("text", ["app:1", "me/sha256:1", "localhost/sha256", "sha256-app"])
def test_tags(text: str) -> None:
    assert references.parse_tag(text) == references.parse(text)


@pytest.mark.parametrize(
    ("pattern", "familiar", "fits"),
    [
        ("busybox", "busybox:1", True),
        ("busybox:1", "busybox:1", True),
        ("busy*", "busybox:1", True),
        ("*", "busybox:1", True),
        ("*", "me/app:1", False),
        ("*/*", "me/app:1", True),
        ("*/app", "me/app:1", True),
        ("me*", "me/app:1", False),
        ("me/*:1", "me/app:1", True),
        ("*:1", "host:5000/app:1", False),
        ("*/app", "host:5000/app:1", True),
        ("host:5000/*", "host:5000/app", True),
        ("app", f"app:1@sha256:{HEX}", True),
        ("app@*", f"app@sha256:{HEX}", True),
        ("", "app:1", False),
        ("ap", "app:1", False),
    ],
)
def test_fits(pattern: str, familiar: str, fits: bool) -> None:
    assert references.fits(pattern, familiar) is fits
