"""Which events a client asked for. Values of one key are alternatives, keys add up, labels all have to match."""

from __future__ import annotations

from typing import Any, NamedTuple

from controlpanel.rest.filters import Filters, has_label

NAMED = ("config", "container", "daemon", "network", "node", "plugin", "secret", "service", "volume")
KEYS = frozenset({*NAMED, "event", "image", "label", "scope", "type"})
# Their actions carry details after a colon (``exec_create: sh -c …``).
DETAILED = frozenset({"exec_create", "exec_start", "health_status"})


class EventFilter(NamedTuple):
    """``since`` and ``until`` are nanoseconds since 1970 or None."""

    wanted: Filters
    since: int | None = None
    until: int | None = None

    def admits(self, event: dict[str, Any]) -> bool:
        actor: dict[str, Any] = event["Actor"]
        return (
            (self.since is None or event["timeNano"] >= self.since)
            and (self.until is None or event["timeNano"] <= self.until)
            and self._exactly("type", event["Type"])
            and self._exactly("scope", event["scope"])
            and self._action(event["Action"])
            and all(self._begins(key, actor["ID"], actor["Attributes"].get("name", "")) for key in NAMED)
            and self._image(event)
            and self._labels(actor["Attributes"])
        )

    def _exactly(self, key: str, *values: str) -> bool:
        wanted = self.wanted.get(key)
        return not wanted or any(value in wanted for value in values)

    def _begins(self, key: str, *values: str) -> bool:
        wanted = self.wanted.get(key)
        return not wanted or any(value.startswith(prefix) for value in values for prefix in wanted)

    def _action(self, action: str) -> bool:
        if DETAILED.intersection(self.wanted.get("event", ())):
            return self._begins("event", action)
        return self._exactly("event", action)

    def _image(self, event: dict[str, Any]) -> bool:
        name = event["Actor"]["Attributes"].get("name" if event["Type"] == "image" else "image", "")
        identity = event["Actor"]["ID"]
        return self._exactly("image", identity, name, _without_tag(identity), _without_tag(name))

    def _labels(self, attributes: dict[str, str]) -> bool:
        return all(has_label(attributes, label) for label in self.wanted.get("label", ()))


def _without_tag(name: str) -> str:
    """``host:5000/app:1`` names ``host:5000/app``; a colon before the last slash belongs to the port."""
    head, slash, tail = name.rpartition("/")
    return head + slash + tail.partition(":")[0]
