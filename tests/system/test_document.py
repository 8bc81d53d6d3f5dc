"""What the API's document says is what the engine does: requests made from it, in good form and in bad.

Not only that nothing breaks. An answer has the status, the media type and the fields that the document names, and no
others; and a refusal is a sentence in JSON.
"""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
import schemathesis
from docker.transport import UnixHTTPAdapter
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.conftest import REMOVALS, objects
from tests.support.installation import PASSWORD
from tests.system.conftest import REFERENCE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis import Case, Response
    from schemathesis.checks import CheckFunction

    from tests.support.docker import Docker
    from tests.support.installation import Installation

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"
BASE = "http://docker"
NAME = "fuzzed"
EXAMPLES = 15
ARCHIVE = "application/x-tar"
# What would last for ever ends at once when it is asked so. The others that may last have tests of their own.
ENDING = {
    "GET /containers/{name}/logs": {"follow": "0"},
    "GET /containers/{name}/stats": {"stream": "0", "one-shot": "1"},
    "GET /events": {"since": "0", "until": "1"},
    "POST /containers/{reference}/stop": {"t": "0"},
    "POST /containers/{reference}/restart": {"t": "0"},
}
# Guesses at passwords are counted and slowed, and who has signed out asks no more: ``panel/test_accounts.py`` has them.
ACCOUNTS = {"POST /panel/session", "DELETE /panel/session", "POST /panel/password"}
# These need what chance does not find: an exec, names of images, a path.
LUCK = {"GET /exec/{reference}/json", "GET /images/get", "GET /containers/{name}/archive"}
REFUSALS = {400, 403, 404, 409, 501}
# Docker's own status for what the client, or nobody, has done wrong.
DOCKERS_500 = {"GET /containers/{reference}/top", "POST /containers/{reference}/unpause"}


def strict(document: dict[str, Any]) -> dict[str, Any]:
    """The document with objects that have no other fields than the named: neither a request's nor an answer's."""
    answer = copy.deepcopy(document)
    for schema in answer["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    for methods in answer["paths"].values():
        for operation in methods.values():
            operation.pop("security", None)
    return answer


SCHEMA = schemathesis.openapi.from_dict(strict(json.loads(DOCUMENT.read_text())))
OPERATIONS = {each.ok().label: each.ok() for each in SCHEMA.get_all_operations() if isinstance(each, Ok)}
TESTED = [
    label
    for label, operation in OPERATIONS.items()
    if (label in ENDING or not operation.definition.raw.get("x-endless"))
    and ARCHIVE not in operation.definition.raw.get("requestBody", {}).get("content", {})
    and label not in ACCOUNTS
]
CHECKS: list[CheckFunction] = [status_code_conformance, content_type_conformance]


class World:
    """The engine's socket, the page's session, and something of each kind to ask for."""

    KNOWN = {"containers": NAME, "volumes": NAME, "images": f"{NAME}:latest", "networks": "bridge", "panel": NAME}

    def __init__(self, installation: Installation, image: str) -> None:
        self.session = requests.Session()
        self.session.mount(BASE, UnixHTTPAdapter(f"http+{installation.docker_host}"))
        self.image, self.panel = image, installation.url
        self.page = requests.Session()
        self._sign_in()

    def ask(self, case: Case[Any]) -> Response:
        """The engine's socket does not serve what belongs to the page."""
        if case.path.startswith("/panel/"):
            return case.call(base_url=self.panel, session=self.page, timeout=60)
        return case.call(base_url=BASE, session=self.session, timeout=60)

    def _sign_in(self) -> None:
        csrf = self.page.get(f"{self.panel}/panel/session").json()["csrf"]
        me = {"username": "admin", "password": PASSWORD}
        answer = self.page.post(f"{self.panel}/panel/session", json=me, headers={"X-CSRFToken": csrf})
        answer.raise_for_status()
        self.page.headers["X-CSRFToken"] = answer.json()["csrf"]

    def mend(self) -> None:
        """Make again what the last requests have removed or stopped."""
        self._post(f"/containers/create?name={NAME}", {"Image": self.image, "Cmd": ["sleep", "100000"]})
        self._post(f"/containers/{NAME}/unpause")
        self._post(f"/containers/{NAME}/start")
        self._post("/volumes/create", {"Name": NAME})
        self._post(f"/images/{self.image}/tag?repo={NAME}")

    def _post(self, path: str, body: Any = None) -> None:
        self.session.post(f"{BASE}{path}", json=body).close()


@pytest.fixture(scope="module")
def world(installation: Installation, image: str) -> Iterator[World]:
    if os.environ.get(REFERENCE):
        pytest.skip("the document is this engine's")
    docker = installation.docker()
    before, tags_before = objects(docker), _tags(docker)
    yield World(installation, image)
    after = objects(docker)
    for kind, removal in REMOVALS.items():
        if made := sorted(after[kind] - before[kind]):
            docker.run(*removal, *made)
    if tags := sorted(_tags(docker) - tags_before):
        docker.run("rmi", *tags)


def _tags(docker: Docker) -> set[str]:
    return set(docker("images", "--format", "{{.Repository}}:{{.Tag}}").split())


@pytest.mark.parametrize("label", TESTED)
def test_the_engine_does_what_its_document_says(label: str, world: World) -> None:
    world.mend()
    statuses: list[int] = []

    @settings(
        max_examples=EXAMPLES,
        phases=(Phase.explicit, Phase.generate),
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(case=OPERATIONS[label].as_strategy())
    def ask(case: Case[Any]) -> None:
        aim(case, world)
        answer = world.ask(case)
        statuses.append(answer.status_code)
        judge(case, answer)

    ask()
    assert min(statuses) < 400 or not label.startswith("GET ") or label in LUCK, "nothing was ever answered"


def aim(case: Case[Any], world: World) -> None:
    """Most requests are for something that is there."""
    kind = case.path.split("/")[1]
    for name, text in case.path_parameters.items():
        if kind in world.KNOWN and len(str(text)) % 4:
            case.path_parameters[name] = world.KNOWN[kind]
    if case.path == "/containers/create" and isinstance(case.body, dict):
        case.body["Image"] = world.image
    case.query = {**(case.query or {}), **ENDING.get(case.operation.label, {})}


def judge(case: Case[Any], answer: Response) -> None:
    if answer.status_code >= 400:
        assert answer.status_code in REFUSALS | ({500} if case.operation.label in DOCKERS_500 else set()), answer.text
        message = answer.json()["message"]
        assert message.strip()
        assert "Traceback" not in message
    else:
        # What may last is no JSON value but several, or bytes.
        shape = [] if case.operation.definition.raw.get("x-endless") else [response_schema_conformance]
        case.validate_response(answer, checks=[*CHECKS, *shape])
