"""What clients write into queries, read as Docker reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from controlpanel.rest import filters, query
from controlpanel.streams import changes, detach
from controlpanel.streams.uploads import is_upload
from engine.errors import InvalidArgument


@pytest.mark.parametrize("text", ["", "0", "no", "False", " none "])
def test_false(text: str) -> None:
    assert query.flag({"follow": text}, "follow") is False


@pytest.mark.parametrize("text", ["1", "true", "True", "yes", "anything"])
def test_true(text: str) -> None:
    assert query.flag({"follow": text}, "follow") is True


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("", None), ("0", None), ("12", 12 * 10**9), ("1.5", 1_500_000_000), ("1.0000000019", 1_000_000_001)],
)
def test_timestamps(text: str, nanoseconds: int | None) -> None:
    assert query.timestamp({"since": text}, "since") == nanoseconds


@given(some.text())
def test_any_timestamp_is_a_number_or_refused(text: str) -> None:
    try:
        assert isinstance(query.timestamp({"since": text}, "since"), int | None)
    except InvalidArgument:
        return


@given(some.text())
def test_any_filter_is_lists_of_texts_or_refused(text: str) -> None:
    try:
        found = filters.parse({"filters": text}, ["label"])
    except InvalidArgument:
        return
    assert all(isinstance(value, str) for values in found.values() for value in values)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", b"\x10\x11"),
        ("ctrl-p,ctrl-q", b"\x10\x11"),
        ("ctrl-a,x", b"\x01x"),
        ("ctrl-@,ctrl-[,ctrl-_,DEL", b"\x00\x1b\x1f\x7f"),
    ],
)
def test_detach_keys(text: str, keys: bytes) -> None:
    assert detach.parse(text) == keys


@given(some.text(min_size=1))
def test_any_detach_keys_are_one_byte_a_key_or_refused(text: str) -> None:
    try:
        assert len(detach.parse(text)) == text.count(",") + 1
    except ValueError:
        return


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        (b"PUT", "/v1.47/containers/c/archive", True),
        (b"PUT", "/v1/containers/c/archive", True),
        (b"PUT", "/containers//c/archive", True),
        (b"POST", "/images/load", True),
        (b"POST", "/v1.24/images/create", True),
        (b"POST", "/build", True),
        (b"GET", "/containers/c/archive", False),
        (b"POST", "/containers/create", False),
        (b"POST", "/exec/x/start", False),
        (b"PUT", "/v1.2.3/containers/c/archive", False),
    ],
)
def test_which_bodies_are_streamed(method: bytes, path: str, expected: bool) -> None:
    assert is_upload(method, path) is expected


def test_changes_of_an_import() -> None:
    instructions = [
        'CMD ["sh", "-c", "x"]', "ENTRYPOINT top -b", 'ENV A=1 B="two words"', "ENV C three words", "LABEL k=v",
        "EXPOSE 80 53/udp", 'VOLUME ["/data"]', "USER nobody", "WORKDIR /srv", "WORKDIR sub", "STOPSIGNAL INT",
    ]  # fmt: skip
    assert changes.apply(instructions) == {
        "Cmd": ["sh", "-c", "x"],
        "Entrypoint": ["/bin/sh", "-c", "top -b"],
        "Env": ["A=1", "B=two words", "C=three words"],
        "Labels": {"k": "v"},
        "ExposedPorts": {"80/tcp": {}, "53/udp": {}},
        "Volumes": {"/data": {}},
        "User": "nobody",
        "WorkingDir": "/srv/sub",
        "StopSignal": "INT",
    }


@pytest.mark.parametrize("instruction", ["RUN true", "CMD", "ENV A", 'LABEL k="open'])
def test_changes_that_are_none(instruction: str) -> None:
    with pytest.raises(InvalidArgument):
        changes.apply([instruction])
