"""``up``: everything from a bare machine to a running installation; ``down``: the services stop, containers go on."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

from install import accounts, database, directories, environment, logs, packages, page, preflight, starter
from install.alone import alone
from install.api import Api, ApiError
from install.settings import Settings
from install.steps import Failure, Step, step
from install.supervisor import Supervisor

if TYPE_CHECKING:
    from install.database import Administrator

# A slow machine compiles every module at its first start; a crash is noticed long before.
HEALTHY_WITHIN = 180.0
CRASHES_FOR = 8.0  # a service that crashes once at start may find its neighbour a moment later
SHOWN_LINES = 15
PAUSE = 0.05
STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GAVE_UP = {"FATAL", "EXITED", "UNKNOWN"}


def up(settings: Settings, *, detached: bool) -> None:
    """Set up, start, check, and print how to use it; in the foreground, show the services' logs until interrupted."""
    preflight.check(settings)
    supervisor = Supervisor(settings)
    with alone():
        administrator = _prepare(settings)
        try:
            _start(settings, supervisor)
            greeting = _try_out(settings)
        except BaseException:
            _print_administrator(administrator)  # it is shown once, and this is the time
            raise
    _print_summary(settings, administrator, greeting)
    if not detached:
        _show_logs(settings, supervisor)


def down(settings: Settings) -> None:
    with step("Services") as running:
        running.done("stopped; containers go on" if Supervisor(settings).stop() else "none ran")


def _prepare(settings: Settings) -> Administrator | None:
    packages.ensure(packages.UP)
    environment.ensure()
    page.ensure()
    accounts.ensure()
    directories.ensure(settings)
    return database.ensure(settings)


def _start(settings: Settings, supervisor: Supervisor) -> None:
    with step("Services") as running:
        if supervisor.running() and supervisor.current():
            running.done("running")
            _wait_healthy(settings, supervisor, running)
            return
        supervisor.stop()
        preflight.check_port(settings)
        supervisor.start()
        try:
            _wait_healthy(settings, supervisor, running)
        except BaseException:
            supervisor.stop()
            raise


def _try_out(settings: Settings) -> str | None:
    """Make the starter image and run it; raise Failure with what the engine says of it."""
    try:
        starter.ensure(settings)
        return starter.greet(settings)
    except ApiError as error:
        raise Failure(f"the engine says: {error}", f"the services' logs are in {settings.layout.logs}") from error


def _wait_healthy(settings: Settings, supervisor: Supervisor, running: Step) -> None:
    """Wait until every service runs and the engine answers; raise Failure with the log of the one that does not."""
    started = time.monotonic()
    while (waited := time.monotonic() - started) < HEALTHY_WITHIN:
        states = supervisor.states()
        for state in states:
            if state.state in GAVE_UP or (state.state == "BACKOFF" and waited > CRASHES_FOR):
                raise _service_failure(settings, state.name, "does not stay up")
        waiting = [state.name for state in states if state.state != "RUNNING"]
        if not waiting and _answers(settings):
            return
        running.note(f"waiting for {', '.join(waiting) or 'the engine'}")
        time.sleep(PAUSE)
    raise _service_failure(settings, "web", f"does not answer within {HEALTHY_WITHIN:.0f} seconds")


def _service_failure(settings: Settings, name: str, what: str) -> Failure:
    log = settings.layout.logs / f"{name}.log"
    end = log.read_text(errors="replace").splitlines()[-SHOWN_LINES:] if log.exists() else []
    return Failure("\n".join([f"the service {name} {what}:", *end]), f"its log is {log}")


def _answers(settings: Settings) -> bool:
    try:
        return Api(settings.layout.docker_socket, timeout=2.0).call("GET", "/_ping") == b"OK"
    except (OSError, ApiError):
        return False


def _print_summary(settings: Settings, administrator: Administrator | None, greeting: str | None) -> None:
    print()
    if greeting:
        print(f"  {greeting.strip()}\n")
    print(f"  Panel        {settings.panel}")
    _print_administrator(administrator)
    print(f"  Docker       export DOCKER_HOST={settings.docker_host}")
    print(f"  Logs         {settings.layout.logs}", flush=True)


def _print_administrator(administrator: Administrator | None) -> None:
    if administrator:
        shown = f"password {administrator.password} (shown once)" if administrator.generated else "password as given"
        print(f"  Sign in      {administrator.name}, {shown}", flush=True)


def _show_logs(settings: Settings, supervisor: Supervisor) -> None:
    names = [state.name for state in supervisor.states()]
    received: list[int] = []
    for number in STOPPING_SIGNALS:
        signal.signal(number, lambda number, _: received.append(number))
    print("\n  Ctrl-C stops the services; containers go on.\n", flush=True)
    logs.follow(settings.layout.logs, names, lambda: bool(received) or not supervisor.running())
    print()
    down(settings)
