"""Filters, names, ps tables, claims, answers: what needs neither kernel nor broker."""

from __future__ import annotations

import os
import re
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from controlpanel.objects.claims import call_of
from controlpanel.operations import claims
from controlpanel.operations.containers import names, top
from controlpanel.rest.filters import Filters
from controlpanel.rpc import envelope, outcomes, worker
from controlpanel.rpc.envelope import Envelope
from engine.errors import Conflict, InvalidArgument, MuelleError, SystemFailure, Unavailable
from engine.kernel.processes import start_time
from engine.rfc3339 import NANO

if TYPE_CHECKING:
    from pytest_django import Settings


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({}, True),
        ({"label": ["a"]}, True),
        ({"label": ["a=1"]}, True),
        ({"label": ["a=2"]}, False),
        ({"label": ["a", "c"]}, False),
        ({"label!": ["a"]}, False),
        ({"label!": ["c"]}, True),
        ({"label": ["b="]}, True),
    ],
)
def test_labels(wanted: dict[str, list[str]], fits: bool) -> None:
    assert Filters(wanted).labels_match({"a": "1", "b": ""}) is fits


def test_until() -> None:
    assert Filters({}).until() is None
    assert Filters({"until": ["1700000000"]}).until() == 1_700_000_000 * NANO
    assert Filters({"until": ["2023-11-14T22:13:20Z"]}).until() == 1_700_000_000 * NANO
    hour_ago = Filters({"until": ["1h0m"]}).until()
    assert hour_ago is not None
    assert hour_ago < time.time_ns() - 3599 * NANO


@pytest.mark.parametrize("texts", [["soon"], ["1x"], ["1h", "2h"], ["nan"], ["inf"]])
def test_bad_until(texts: list[str]) -> None:
    with pytest.raises(InvalidArgument):
        Filters({"until": texts}).until()


def test_invented_names_are_valid_names() -> None:
    for _ in range(200):
        assert re.fullmatch(r"[a-z]+_[a-z]+", names.invent())


def test_a_ps_table_is_split_by_its_titles() -> None:
    titles, rows = top.parse("UID   PID CMD\nroot    1 sleep  100\nroot   22 sh -c a b\n")
    assert titles == ["UID", "PID", "CMD"]
    assert rows == [["root", "1", "sleep  100"], ["root", "22", "sh -c a b"]]


@pytest.mark.parametrize("output", ["", "USER CMD\nroot sh\n"])
def test_a_ps_table_without_pids_is_refused(output: str) -> None:
    with pytest.raises(InvalidArgument, match="PID field"):
        top.parse(output)


def test_a_mover_is_alive_as_long_as_its_process() -> None:
    assert claims.is_alive(claims.mine())
    with subprocess.Popen(["sleep", "100"]) as other:
        claim = f"{other.pid}:{start_time(other.pid)}:call"
        assert claims.is_alive(claim)
        assert call_of(claim) == "call"
        other.kill()
    assert not claims.is_alive(claim)


@pytest.mark.parametrize("claim", ["", ":", "::", "1:2:", f"{os.getpid()}:1:x", "x:y:z"])
def test_other_texts_name_nobody_alive(claim: str) -> None:
    assert not claims.is_alive(claim)


def test_answers_carry_values_and_errors() -> None:
    assert outcomes.unwrap(outcomes.of_value(None)) is None
    with pytest.raises(Conflict, match=r"^busy$"):
        outcomes.unwrap(outcomes.of_error(Conflict("busy")))
    with pytest.raises(SystemFailure, match=r"^KeyError: 'x'$"):
        outcomes.unwrap(outcomes.of_error(KeyError("x")))


@pytest.mark.parametrize("lost", [None, "text", {}, {"exc_type": "WorkerLostError"}])
def test_a_lost_answer_is_unavailable(lost: object) -> None:
    with pytest.raises(MuelleError) as caught:
        outcomes.unwrap(lost)
    assert isinstance(caught.value, Unavailable)


def test_an_operation_for_another_node_is_refused(db: None, settings: Settings) -> None:
    done: list[tuple[str, str]] = []

    def operation(container_id: str) -> bool:
        done.append((container_id, envelope.actor()))
        return True

    ours = Envelope("root", None, "socket", settings.MUELLE_NODE)
    astray = ours._replace(node="elsewhere")
    answer = worker.perform("test.operation", operation, astray, {"container_id": "web"})
    assert answer == {"error": {"kind": "Conflict", "message": "this is node local, not elsewhere"}}
    assert done == []
    assert worker.perform("test.operation", operation, ours, {"container_id": "web"}) == {"value": True}
    assert done == [("web", "root")]
    assert envelope.actor() == ""
