"""Where heads and bodies end, however the network cuts them up."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from controlpanel.server import answers, bodies, heads
from controlpanel.server.intake import Intake, TooLong
from controlpanel.server.limits import Census, Limits

CONTENTS = st.lists(st.binary(min_size=1, max_size=50) | st.sampled_from([b"\r\n\r\n", b"0\r\n\r\n", b"\r\n" * 9]))
TOKENS = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=20)
VALUES = st.text([chr(code) for code in range(33, 127)], max_size=30)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[start:end] for start, end in pairwise(edges) if start < end]


def read(body: bodies.Body, data: list[bytes]) -> tuple[bytes, bytes | None]:
    """The body's content, and what followed it (None: it is not complete)."""
    content, rest = b"", None
    for index, piece in enumerate(data):
        part, rest = body.feed(piece)
        content += part
        if rest is not None:
            return content, rest + b"".join(data[index + 1 :])
    return content, None


@given(CONTENTS, st.binary(max_size=40), st.lists(st.integers(min_value=0), max_size=20), st.booleans())
def test_a_chunked_body_ends_where_it_ends(
    contents: list[bytes], surplus: bytes, cuts: list[int], has_trailer: bool
) -> None:
    trailer = b"Expires: never\r\n" if has_trailer else b""
    data = b"".join(map(answers.chunk, contents)) + b"0\r\n" + trailer + b"\r\n" + surplus
    assert read(bodies.Chunked(), pieces(data, cuts)) == (b"".join(contents), surplus)


@given(st.binary(max_size=100), st.binary(max_size=40), st.lists(st.integers(min_value=0), max_size=20))
def test_a_body_of_known_length_ends_where_it_ends(content: bytes, surplus: bytes, cuts: list[int]) -> None:
    found = read(bodies.Sized(len(content)), pieces(content + surplus, cuts) or [b""])
    assert found == (content, surplus)


@given(CONTENTS, st.lists(st.integers(min_value=0), max_size=20))
def test_a_chunked_body_that_is_cut_off_is_not_complete(contents: list[bytes], cuts: list[int]) -> None:
    data = b"".join(map(answers.chunk, contents)) + b"0\r\n"
    assert read(bodies.Chunked(), pieces(data, cuts)) == (b"".join(contents), None)


@pytest.mark.parametrize(
    "data", [b"x\r\n", b"-1\r\n", b"1\r\nab\r\n", b"5\nhello\r\n", b"fffffffffffffffff\r\n", b"1;" + b"a" * 100_000]
)
def test_chunks_that_are_none(data: bytes) -> None:
    with pytest.raises(heads.BadRequest):
        bodies.Chunked().feed(data)


@given(CONTENTS, st.integers(min_value=0, max_value=600), st.lists(st.integers(min_value=0), max_size=20))
def test_a_body_above_the_limit_is_refused(contents: list[bytes], limit: int, cuts: list[int]) -> None:
    data = b"".join(map(answers.chunk, contents)) + b"0\r\n\r\n"
    size = sum(map(len, contents))
    sized = heads.parse(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size)
    chunked = heads.parse(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
    for head, sent in ((sized, b"".join(contents)), (chunked, data)):
        with pytest.raises(heads.TooLarge) if size > limit else nullcontext():
            assert read(bodies.of(head, limit), pieces(sent, cuts) or [b""]) == (b"".join(contents), b"")


def test_trailers_without_an_end() -> None:
    body = bodies.Chunked()
    body.feed(b"0\r\n")
    for _ in range(600):
        body.feed(b"X: " + b"y" * 100 + b"\r\n")
    with pytest.raises(heads.BadRequest):
        body.feed(b"X: " + b"y" * 10_000)


@given(st.lists(st.tuples(TOKENS.map(lambda name: f"x-{name}"), VALUES), max_size=20), TOKENS)
def test_a_head_means_what_it_says(fields: list[tuple[str, str]], path: str) -> None:
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
    head = heads.parse(f"GET /{path}?a=b HTTP/1.1\r\n{lines}\r\n".encode())
    assert (head.method, head.path, head.query) == (b"GET", f"/{path}", b"a=b")
    assert head.fields == [(name.encode(), value.encode()) for name, value in fields]
    assert heads.parse(head.to_bytes()).fields == head.fields


@given(st.binary(max_size=200))
def test_anything_else_is_refused(data: bytes) -> None:
    try:
        head = heads.parse(b"GET / HTTP/1.1\r\n" + data + b"\r\n\r\n")
    except heads.BadRequest:
        return
    # What a proxy in front of us may have taken for the end of a line is in no name and no value.
    for name, value in head.fields:
        assert not {*b"\r\n\0"} & {*name, *value}


@given(st.lists(TOKENS, min_size=1, max_size=4), st.lists(st.integers(min_value=0), max_size=20))
@example(["a"], [1])
def test_heads_come_out_whole_and_what_is_held_is_counted(paths: list[str], cuts: list[int]) -> None:
    expected = [f"GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() for path in paths]
    census = Census(Limits(pending=1000))
    intake = Intake(1000, census.hold)
    found = []
    for piece in pieces(b"\r\n" + b"\r\n".join(expected) + b"GET", cuts):
        intake.put(piece)
        while (head := intake.take_head()) is not None:
            found.append(head)
        assert intake.has_begun == (len(intake) > 0)
        assert intake.settle()
        assert census.pending == len(intake)
    assert (found, intake.take_all(), intake.has_begun) == (expected, b"GET", False)


def test_a_head_that_is_too_long_or_none() -> None:
    intake = Intake(100, lambda _: True)
    intake.put(b"GET /" + b"a" * 90)
    assert intake.take_head() is None
    intake.put(b"a" * 10)
    with pytest.raises(TooLong):
        intake.take_head()
    intake.drop()
    intake.put(b"\r\n\x16\x03")
    with pytest.raises(heads.BadRequest):
        intake.take_head()


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.1\nHost: x\n\n",
        b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nA : b\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\n",
        b"GET /\r\n\r\n",
        b"GET /\xc3\xa4 HTTP/1.1\r\n\r\n",
        b"CONNECT host:1 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(600)) + b"\r\n",
    ],
)
def test_heads_that_are_read_in_two_ways_or_none(request_: bytes) -> None:
    with pytest.raises(heads.BadRequest):
        heads.parse(request_)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/a%20b/c%2Fd", "/a b/c/d"),
        (b"//a", "//a"),
        (b"http://docker/_ping", "/_ping"),
        (b"http://docker", "/"),
        (b"*", "*"),
    ],
)
def test_targets(target: bytes, path: str) -> None:
    assert heads.parse(b"OPTIONS %b HTTP/1.1\r\n\r\n" % target).path == path


@pytest.mark.parametrize(
    ("head", "keeps"),
    [
        (b"HTTP/1.1\r\n", True),
        (b"HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n", True),
        (b"HTTP/1.1\r\nConnection: keep-alive, Close\r\n", False),
        (b"HTTP/1.0\r\n", False),
        (b"HTTP/1.0\r\nConnection: keep-alive\r\n", False),
    ],
)
def test_whether_a_connection_is_kept(head: bytes, keeps: bool) -> None:
    assert heads.parse(b"GET / %b\r\n" % head).keep_alive is keeps
