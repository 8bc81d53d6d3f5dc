"""What the page makes of answers that fail, come late, or come in another order than their questions."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Page, Route, expect

from tests.frontend.web.double import ANSWERS, container, identity, point, stopped

if TYPE_CHECKING:
    from tests.frontend.web.double import Server

pytestmark = pytest.mark.browser

IMAGES = ANSWERS["/panel/images"]["images"]


async def fail(page: Page, path: str, method: str, status: int) -> None:
    async def refuse(route: Route) -> None:
        if route.request.method == method:
            await route.fulfill(status=status, json={"message": "the database is away"})
        else:
            await route.fallback()

    await page.route(f"**{path}", refuse)


async def held(page: Page, path: str) -> asyncio.Event:
    """Answers of a path wait for the event."""
    event = asyncio.Event()

    async def wait(route: Route) -> None:
        await event.wait()
        await route.fallback()

    await page.route(f"**{path}", wait)
    return event


async def signed_in(page: Page) -> None:
    await page.goto("/")
    await expect(page.get_by_role("heading", name="Containers")).to_be_visible()


@pytest.mark.parametrize("status", [403, 500, 503])
async def test_signing_out_that_failed_is_told_and_the_page_stays(shown: Page, status: int) -> None:
    await signed_in(shown)
    await fail(shown, "/panel/session", "DELETE", status)
    await shown.get_by_role("button", name="Sign out").click()
    await expect(shown.get_by_text("Could not sign out")).to_be_visible()
    await expect(shown.get_by_text("the database is away")).to_be_visible()
    await expect(shown.get_by_role("heading", name="Containers")).to_be_visible()


async def test_signing_out_of_an_ended_session_is_no_failure(shown: Page) -> None:
    await signed_in(shown)
    await fail(shown, "/panel/session", "DELETE", 401)
    await shown.get_by_role("button", name="Sign out").click()
    await expect(shown.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(shown.get_by_text("Could not sign out")).to_have_count(0)


async def test_a_late_measurement_of_a_stopped_container_is_not_kept(shown: Page, server: Server) -> None:
    server.containers = [container(1, "web"), container(2, "db")]
    await signed_in(shown)
    await server.listened_to("containers")
    usage = shown.locator("[data-container=web] td.usage").first
    server.say("containers", type="containers.usage", usage={identity(1): point(1), identity(2): point(2)})
    await expect(usage).to_contain_text("%")
    server.change(stopped(1, "web", 0))
    server.say("containers", type="containers.usage", usage={identity(1): point(1), identity(2): point(9)})
    await expect(shown.locator("[data-container=db] td.usage").first).to_contain_text("33.3")
    await expect(usage).not_to_contain_text("%")


async def test_the_last_question_counts_and_not_the_last_answer(shown: Page, server: Server) -> None:
    server.answers["/panel/images"] = {"images": IMAGES}
    await signed_in(shown)
    await server.listened_to("containers")
    await shown.goto("/#/images")
    await expect(shown.locator("[data-image]")).to_have_count(2)
    event = asyncio.Event()

    async def late(route: Route) -> None:
        await event.wait()
        await route.fulfill(json={"images": IMAGES})

    await shown.route("**/panel/images", late, times=1)
    async with shown.expect_request("**/panel/images"):
        server.say("containers", type="images.changed")
    server.answers["/panel/images"] = {"images": IMAGES[:1]}
    server.say("containers", type="images.changed")
    await expect(shown.locator("[data-image]")).to_have_count(1)
    async with shown.expect_event("requestfinished", lambda request: request.url.endswith("/panel/images")):
        event.set()
    await shown.evaluate("() => new Promise((done) => setTimeout(done, 100))")
    await expect(shown.locator("[data-image]")).to_have_count(1)


async def test_there_are_no_tokens_only_when_the_server_says_so(shown: Page, server: Server) -> None:
    server.answers["/panel/tokens"] = {"tokens": []}
    await signed_in(shown)
    none = shown.get_by_text("You have no tokens.")
    event = await held(shown, "/panel/tokens")
    await shown.goto("/#/account")
    await expect(shown.get_by_role("heading", name="Access tokens")).to_be_visible()
    await expect(none).to_have_count(0)
    event.set()
    await expect(none).to_be_visible()


async def test_tokens_that_cannot_be_read_are_not_none(shown: Page) -> None:
    await signed_in(shown)
    await fail(shown, "/panel/tokens", "GET", 503)
    await shown.goto("/#/account")
    await expect(shown.get_by_role("alert")).to_contain_text("the database is away")
    await expect(shown.get_by_text("You have no tokens.")).to_have_count(0)
