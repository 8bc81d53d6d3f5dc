"""Calls that are carried out again: a killed worker's message goes to another."""

from __future__ import annotations

import contextlib
import importlib

import pytest

from controlpanel.objects import events
from controlpanel.objects.models import Container
from controlpanel.operations.containers import start
from engine.layout import Layout
from tests.controlpanel.operations.conftest import Make, actions

pytestmark = pytest.mark.kernel

module = importlib.import_module("controlpanel.operations.containers.create")


class Killed(BaseException):
    pass


@pytest.fixture(autouse=True)
def one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "call_id", lambda: "9b2f0d1c-call", raising=False)


def _kill_after(step: str, monkeypatch: pytest.MonkeyPatch, make: Make, name: str | None) -> None:
    """Have the worker end after a step, with no chance to undo anything."""
    done = getattr(module, step)

    def end(*given: object, **named: object) -> None:
        done(*given, **named)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(module, step, end)
        patch.setattr(module, "undone_on_failure", lambda _: contextlib.nullcontext(contextlib.ExitStack()))
        with pytest.raises(Killed):
            make(["sleep", "100"], name)


@pytest.mark.parametrize("name", ["web", None])
@pytest.mark.parametrize("step", ["_insert", "_prepare"])
def test_a_creation_makes_one_container(
    engine: Layout, make: Make, sent: list[events.Event], monkeypatch: pytest.MonkeyPatch, name: str | None, step: str
) -> None:
    _kill_after(step, monkeypatch, make, name)
    made = make(["sleep", "100"], name)
    assert list(Container.objects.all()) == [made]
    assert actions(sent).count("container create") == 1
    assert [path.name for path in engine.container("x").parent.iterdir()] == [made.id]
    start.start(made.id)
