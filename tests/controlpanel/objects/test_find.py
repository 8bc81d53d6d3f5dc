"""Look-ups by what a user typed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from controlpanel.objects.identifiers import ENOUGH
from controlpanel.objects.models import Container, Exec, Image, ImageReference, Network, Project, Volume
from engine.errors import InvalidArgument, NotFound
from tests.controlpanel.objects.conftest import NODE, MakeContainer

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

IMAGE_ID = "sha256:" + "ab" * 32


def test_container_by_name_slash_id_and_prefix(make: MakeContainer) -> None:
    container = make("web")
    for reference in ("web", "/web", container.id, container.id[:12], container.id[:1]):
        assert Container.objects.find(reference) == container


def test_one_query_finds_a_container(make: MakeContainer, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    make("web")
    with django_assert_num_queries(1):
        Container.objects.find("web")


@pytest.mark.parametrize("model", [Container, Network, Volume])
def test_no_database_is_asked_for_a_text_that_cannot_be_stored(
    db: None, model: type[Container] | type[Network] | type[Volume], django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0), pytest.raises(NotFound):
        model.objects.find("a\0b".ljust(64, "0"))


def test_a_name_beats_an_id_prefix(make: MakeContainer) -> None:
    make("one", id="abc" + "0" * 61)
    named = make("abc")
    assert Container.objects.find("abc") == named


def test_an_id_beats_a_name(make: MakeContainer) -> None:
    container = make("one")
    make(container.id)
    assert Container.objects.find(container.id) == container


def test_an_ambiguous_prefix_is_refused(make: MakeContainer) -> None:
    make("one", id="abc" + "0" * 61)
    make("two", id="abc" + "1" * 61)
    with pytest.raises(InvalidArgument, match=r"^multiple IDs found with provided prefix: abc$"):
        Container.objects.find("abc")


@pytest.mark.parametrize("reference", ["nosuch", "", "/", "ffff", "a%b", "Ü", "x" * 5000])
def test_a_missing_container_is_named_as_given(make: MakeContainer, reference: str) -> None:
    make("web", id="0" * 64)
    with pytest.raises(NotFound) as caught:
        Container.objects.find(reference)
    assert caught.value.message == f"No such container: {reference}"


def test_another_nodes_containers_are_not_seen(make: MakeContainer) -> None:
    make("web")
    with pytest.raises(NotFound):
        Container.objects.find("elsewhere", "web")


@pytest.fixture
def image(db: None) -> Image:
    row = Image.objects.create(node_id=NODE, project_id="default", image_id=IMAGE_ID, config={}, created="")
    ImageReference.objects.create(
        node_id=NODE, project_id="default", image=row, name="docker.io/library/busybox:latest"
    )
    return row


@pytest.mark.parametrize(
    "reference", ["busybox", "busybox:latest", "docker.io/library/busybox", IMAGE_ID, "ab" * 32, "abab", "sha256:abab"]
)
def test_image_by_reference_and_id(image: Image, reference: str) -> None:
    assert Image.objects.find(reference) == image


def test_a_missing_image_is_named_with_its_tag(image: Image) -> None:
    with pytest.raises(NotFound, match=r"^No such image: nosuch:latest$"):
        Image.objects.find("nosuch")


def test_a_malformed_image_name_is_the_callers_mistake(image: Image) -> None:
    with pytest.raises(InvalidArgument):
        Image.objects.find("UPPER/case:x:y")


@pytest.mark.django_db
def test_predefined_networks_are_there() -> None:
    assert {row.name: row.driver for row in Network.objects.filter(node_id=NODE)} == {
        "bridge": "bridge",
        "host": "host",
        "none": "null",
    }
    bridge = Network.objects.find("bridge")
    assert Network.objects.find(bridge.id[:10]) == bridge
    with pytest.raises(NotFound, match=r"^network nosuch not found$"):
        Network.objects.find("nosuch")


@pytest.mark.django_db
def test_missing_volume_and_exec() -> None:
    with pytest.raises(NotFound, match=r"^get nosuch: no such volume$"):
        Volume.objects.find("nosuch")
    with pytest.raises(NotFound, match=r"^No such exec instance: nosuch$"):
        Exec.objects.find("nosuch")


def test_the_callers_own_is_found_among_any_number(make: MakeContainer) -> None:
    """Which rows come first is the database's choice, unless it is asked."""
    for number in range(2 * ENOUGH):
        project = Project.objects.create(slug=f"p{number:02}").slug
        owner: dict[str, Any] = {"node_id": NODE, "project_id": project}
        make("abc", id=f"abc{number:061x}", **owner)
        Network.objects.create(id=f"abc{number:061x}", name="abc", created_at="", **owner)
        Volume.objects.create(name="abc", created_at="", **owner)
        Image.objects.create(image_id=IMAGE_ID, config={}, created="", **owner)
    for model in (Container, Network, Volume, Image):
        reference = "ab" if model is Image else "abc"
        assert model.objects.find(reference, project).project_id == project


def test_a_name_is_found_among_any_number_of_ids_that_begin_so(make: MakeContainer) -> None:
    for number in range(2 * ENOUGH):
        make(f"other{number}", id=f"abc{number:061x}")
    named = make("abc", id="f" * 64)
    assert Container.objects.find("abc") == named
