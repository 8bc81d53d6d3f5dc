"""Which containers a list shows: the filters of ``docker ps``, then the limit."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from controlpanel.access.scope import Scope
from controlpanel.api import endpoints, listing
from controlpanel.api.listing import Row
from controlpanel.rest import filters, query
from controlpanel.rest.filters import Filters
from engine.containers.config import ports as config_ports
from engine.errors import InvalidArgument, NotFound

if TYPE_CHECKING:
    from django.http import QueryDict

KEYS = frozenset({
    "ancestor", "before", "since", "exited", "expose", "health", "id", "is-task", "isolation", "label", "name",
    "network", "publish", "status", "volume",
})  # fmt: skip
STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
HEALTH = ("none", "starting", "healthy", "unhealthy")

Test = Callable[[Row], bool]


def choose(scope: Scope, parameters: QueryDict) -> list[Row]:
    """The rows that ``all``, ``limit``, ``since``, ``before`` and ``filters`` leave, newest first."""
    chosen = filters.parse(parameters, KEYS)
    for name in ("since", "before"):
        if reference := parameters.get(name):
            chosen.setdefault(name, []).append(str(reference))
    limit = query.integer(parameters, "limit") or 0
    everything = query.flag(parameters, "all") or limit > 0 or "status" in chosen
    tests = [test for make in MAKERS for test in make(scope, chosen)]
    found = [row for row in listing.rows(scope, everything=everything) if all(test(row) for test in tests)]
    return found[:limit] if limit > 0 else found


def _state(scope: Scope, chosen: Filters) -> list[Test]:
    tests: list[Test] = []
    if states := set(chosen.one_of("status", STATES)):
        tests.append(lambda row: row.state in states)
    if health := set(chosen.one_of("health", HEALTH)):
        tests.append(lambda row: "none" in health)
    if chosen.values_of("exited"):
        codes = {_exit_code(text) for text in chosen.values_of("exited")}
        tests.append(lambda row: not row.is_running and row.state != "created" and row.exit_code in codes)
    if (task := chosen.flag("is-task")) is not None:
        tests.append(lambda row: not task)
    return tests


def _exit_code(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise InvalidArgument(f"invalid filter 'exited={text}'") from None


def _text(scope: Scope, chosen: Filters) -> list[Test]:
    tests: list[Test] = []
    if chosen.values_of("name"):
        named = filters.expressions(chosen["name"])
        tests.append(lambda row: named(row.name) or named(f"/{row.name}"))
    if chosen.values_of("id"):
        identified = filters.expressions(chosen["id"])
        tests.append(lambda row: identified(row.id))
    if {"label", "label!"} & chosen.keys():
        tests.append(lambda row: chosen.labels_match(row.config["Labels"]))
    return tests


def _age(scope: Scope, chosen: Filters) -> list[Test]:
    tests: list[Test] = []
    if chosen.values_of("before"):
        before = min(_created(scope, reference) for reference in chosen["before"])
        tests.append(lambda row: row.created_at[:-1] < before)
    if chosen.values_of("since"):
        since = max(_created(scope, reference) for reference in chosen["since"])
        tests.append(lambda row: row.created_at[:-1] > since)
    return tests


def _created(scope: Scope, reference: str) -> str:
    return scope.container(reference, "containers.view").created_at[:-1]


def _ancestor(scope: Scope, chosen: Filters) -> list[Test]:
    if not chosen.values_of("ancestor"):
        return []
    wanted: set[str] = set()
    for reference in chosen["ancestor"]:
        try:
            wanted.add(scope.image(reference, "images.view").image_id)
        except (NotFound, InvalidArgument):
            continue
    parents = dict(scope.images().exclude(parent_id="").values_list("image_id", "parent_id"))
    return [lambda row: _descends(row.image_id, parents, wanted)]


def _descends(image_id: str, parents: dict[str, str], wanted: set[str]) -> bool:
    seen: set[str] = set()
    while image_id and image_id not in seen:
        if image_id in wanted:
            return True
        seen.add(image_id)
        image_id = parents.get(image_id, "")
    return False


def _network(scope: Scope, chosen: Filters) -> list[Test]:
    wanted = set(chosen.values_of("network"))
    if not wanted:
        return []
    identities = scope.networks().values_list("name", "id")
    names = {name for name, identity in identities if name in wanted or identity in wanted}
    seated = set(scope.endpoints().filter(network__name__in=names).values_list("container_id", flat=True))
    return [lambda row: row.id in seated or not names.isdisjoint({*row.networking, row.network_mode})]


def _volume(scope: Scope, chosen: Filters) -> list[Test]:
    wanted = set(chosen.values_of("volume"))
    if not wanted:
        return []
    return [
        lambda row: any(
            not wanted.isdisjoint({point.get("name"), point["source"], point["target"]}) for point in row.mounts
        )
    ]


def _ports(scope: Scope, chosen: Filters) -> list[Test]:
    """Public ports for ``publish``, the container's own for ``expose``; either is enough, as in Docker."""
    published = _port_set("publish", chosen.values_of("publish"))
    exposed = _port_set("expose", chosen.values_of("expose"))
    if not published and not exposed:
        return []
    attached = endpoints.Endpoints.of(scope)

    def matches(row: Row) -> bool:
        return any(
            f"{port.get('PublicPort', 0)}/{port['Type']}" in published
            or f"{port['PrivatePort']}/{port['Type']}" in exposed
            for port in endpoints.port_list(row.id, row.exposed, row.is_running, attached)
        )

    return [matches]


def _port_set(key: str, values: list[str]) -> set[str]:
    """``80``, ``80/udp``, ``8000-8010`` → every ``port/protocol`` named."""
    answer: set[str] = set()
    for text in values:
        ports, _, protocol = text.partition("/")
        try:
            first, last = config_ports.parse_range(ports)
        except InvalidArgument:
            raise InvalidArgument(f"invalid filter '{key}={text[:64]}'") from None
        if not first or protocol not in {"", *config_ports.PROTOCOLS}:
            raise InvalidArgument(f"invalid filter '{key}={text[:64]}'")
        answer |= {f"{port}/{protocol or 'tcp'}" for port in range(first, last + 1)}
    return answer


MAKERS: tuple[Callable[[Scope, Filters], list[Any]], ...] = (_state, _text, _age, _ancestor, _network, _volume, _ports)
