"""Image configurations as hypothesis makes them: mostly right, partly anything."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)
TEXTS = st.lists(st.text(max_size=8) | st.none(), max_size=3)
WORDS = TEXTS | st.text(max_size=8)
SETS: st.SearchStrategy[dict[str, Any]] = st.dictionaries(
    st.sampled_from(["80", "53/udp", "/data", "0/tcp"]), st.just({}) | st.none(), max_size=2
)
MOMENTS = st.sampled_from(["2024-01-01T00:00:00Z", "0001-01-01T00:00:00.123456789+14:00", "9999-12-31T23:59:59-12:00"])


def fields(right: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """An object in which most fields are right, some are missing or anything, and some names have other letters."""
    names = {name: st.sampled_from([name, name.lower(), name.upper()]) for name in right}
    values = {name: st.one_of(value, value, value, st.none(), JSON) for name, value in right.items()}
    pairs = st.fixed_dictionaries({}, optional={name: st.tuples(names[name], values[name]) for name in right}).map(
        lambda chosen: dict(chosen.values())
    )
    return st.tuples(pairs, st.dictionaries(st.text(max_size=5), JSON, max_size=2)).map(
        lambda two: {**two[1], **two[0]}
    )


CONTAINER = fields(
    {
        "User": st.text(max_size=8),
        "ExposedPorts": SETS,
        "Env": TEXTS,
        "Entrypoint": WORDS,
        "Cmd": WORDS,
        "Volumes": SETS,
        "WorkingDir": st.text(max_size=8),
        "Labels": st.dictionaries(st.text(max_size=3), st.text(max_size=3) | st.none(), max_size=3),
        "StopSignal": st.text(max_size=8),
        "StopTimeout": st.integers(),
        "Healthcheck": fields({"Test": WORDS, "Interval": st.integers(), "Retries": st.integers()}),
        "OnBuild": TEXTS,
        "Shell": WORDS,
        "ArgsEscaped": st.booleans(),
    }
)
DOCUMENTS = fields(
    {
        "created": MOMENTS,
        "author": st.text(max_size=8),
        "comment": st.text(max_size=8),
        "architecture": st.sampled_from(["amd64", "", "arm64"]),
        "variant": st.sampled_from(["", "v8"]),
        "os": st.just("linux"),
        "docker_version": st.text(max_size=8),
        "container": st.text(max_size=8),
        "container_config": CONTAINER,
        "config": CONTAINER,
        "history": st.lists(fields({"created": MOMENTS, "comment": st.text(max_size=8), "empty_layer": st.booleans()})),
        "rootfs": fields({"type": st.just("layers"), "diff_ids": st.lists(st.text(max_size=8), max_size=3)}),
    }
)
