"""``docker top``: of all that ps can show, the container's processes."""

from __future__ import annotations

import subprocess

import pytest

from controlpanel.operations.containers import start, top
from engine.errors import InvalidArgument, MuelleError
from tests.controlpanel.operations.conftest import Make, at_once, fresh, until

pytestmark = pytest.mark.kernel


def test_top_shows_the_containers_processes_only(make: Make) -> None:
    container = make(["sh", "-c", "sleep 100 & sleep 200; true"])
    start.start(container.id)
    until(lambda: len(at_once(top.top(container.id, ps_args="-ef"))["Processes"]) == 3)
    shown = at_once(top.top(container.id, ps_args="-o pid,args"))
    assert shown["Titles"] == ["PID", "COMMAND"]
    with pytest.raises(InvalidArgument, match="Couldn't find PID field"):
        top.top(container.id, ps_args="-o pid=x")
    for arguments in ("aux", "axf", "-ef --sort=pid", "-e"):
        assert len(at_once(top.top(container.id, ps_args=arguments))["Processes"]) == 3


@pytest.mark.parametrize("selection", ["", " -e", " -e --forest", " -e --sort=pid", " -e -q 1", " -e -C"])
def test_top_shows_no_other_process_whatever_a_column_is_called(make: Make, selection: str) -> None:
    """Who may look at a container is not to read the host's command lines."""
    container = make(["sleep", "100"])
    start.start(container.id)
    with subprocess.Popen(["sleep", "200"], user=fresh(container).pid) as other:
        try:
            shown = at_once(top.top(container.id, ps_args=f"-o uid=PID -o args{selection}"))
        except MuelleError:
            return
        finally:
            other.kill()
    assert shown["Processes"] == []
