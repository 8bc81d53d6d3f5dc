"""Addresses of containers: by name, which outlives the container; by ID; and what is no address at all."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Page, expect

from tests.frontend.web.double import container, identity

if TYPE_CHECKING:
    from tests.frontend.web.double import Server

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("hash_", ["#/containers/%E0%A4%A", "#/%", "#/containers/web/nothing", "#/nowhere"])
async def test_what_is_no_address_is_said_to_be_none(shown: Page, server: Server, hash_: str) -> None:
    server.containers = [container(1, "web")]
    await shown.goto(f"/{hash_}")
    await expect(shown.get_by_role("heading", name="There is no such page")).to_be_visible()
    await shown.get_by_role("link", name="To the containers").click()
    await expect(shown.get_by_role("heading", name="Containers")).to_be_visible()


async def test_links_name_the_container(shown: Page, server: Server) -> None:
    server.containers = [container(1, "web")]
    await shown.goto("/")
    await shown.get_by_role("link", name="web", exact=True).click()
    await expect(shown.get_by_role("heading", name="web")).to_be_visible()
    await expect(shown).to_have_url(re.compile("#/containers/web/logs$"))
    await shown.get_by_role("link", name="Inspect").click()
    await expect(shown).to_have_url(re.compile("#/containers/web/inspect$"))


@pytest.mark.parametrize("length", [64, 12])
async def test_an_id_still_leads_to_its_container(shown: Page, server: Server, length: int) -> None:
    server.containers = [container(1, "web")]
    await shown.goto(f"/#/containers/{identity(1)[:length]}/inspect")
    await expect(shown.get_by_role("heading", name="web")).to_be_visible()


async def test_a_container_made_anew_is_followed_under_its_name(shown: Page, server: Server) -> None:
    server.containers = [container(1, "web", image="shop:1")]
    await shown.goto("/#/containers/web/inspect")
    await expect(shown.get_by_text("shop:1")).to_be_visible()
    server.change(removed=(identity(1),))
    await expect(shown.get_by_role("heading", name="This container is gone")).to_be_visible()
    server.change(container(2, "web", image="shop:2"))
    await expect(shown.get_by_text("shop:2")).to_be_visible()
    await expect(shown.get_by_text("web was made anew")).to_be_visible()
    await expect(shown.get_by_text(f'"{identity(2)}"')).to_be_visible()
    await shown.get_by_role("button", name="Understood").click()
    await expect(shown.get_by_text("web was made anew")).to_have_count(0)


async def test_one_that_steps_aside_for_its_successor_is_left(shown: Page, server: Server) -> None:
    """As docker compose does it: the old one is renamed, the new one made under the name, the old one removed."""
    server.containers = [container(1, "web", image="shop:1")]
    await shown.goto("/#/containers/web/stats")
    await expect(shown.get_by_text("shop:1")).to_be_visible()
    server.change(container(1, "old_web", image="shop:1"))
    await expect(shown.get_by_role("heading", name="old_web")).to_be_visible()
    await expect(shown).to_have_url(re.compile("#/containers/old_web/stats$"))
    server.change(container(2, "web", image="shop:2"))
    await expect(shown.get_by_text("shop:2")).to_be_visible()
    await expect(shown).to_have_url(re.compile("#/containers/web/stats$"))
    server.change(removed=(identity(1),))
    await expect(shown.get_by_text("web was made anew")).to_be_visible()


async def test_who_asked_for_an_id_is_offered_the_successor(shown: Page, server: Server) -> None:
    server.containers = [container(1, "web", image="shop:1")]
    await shown.goto(f"/#/containers/{identity(1)}/logs")
    await expect(shown.get_by_text("shop:1")).to_be_visible()
    server.change(container(2, "web", image="shop:2"), removed=(identity(1),))
    await expect(shown.get_by_role("heading", name="This container is gone")).to_be_visible()
    await shown.get_by_role("link", name="To the new web").click()
    await expect(shown.get_by_text("shop:2")).to_be_visible()


async def test_a_container_that_the_list_does_not_have_yet_is_waited_for(shown: Page, server: Server) -> None:
    await shown.goto("/")
    await expect(shown.get_by_text("The quay is empty")).to_be_visible()
    server.containers = [container(1, "fresh")]
    await shown.goto("/#/containers/fresh/inspect")
    await expect(shown.locator("[aria-busy=true]")).to_be_visible()
    await expect(shown.get_by_role("heading", name="This container is gone")).to_have_count(0)
    server.change(container(1, "fresh"))
    await expect(shown.get_by_role("heading", name="fresh")).to_be_visible()
