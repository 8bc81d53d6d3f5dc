"""Dialogs: what closes them, and what becomes of a start that somebody does not wait for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Page, expect

from tests.frontend.web.double import identity, stopped
from tests.frontend.web.test_answers import fail, held, signed_in

if TYPE_CHECKING:
    import asyncio

    from tests.frontend.web.double import Server

pytestmark = pytest.mark.browser


async def test_a_press_beside_the_form_keeps_what_was_typed(shown: Page) -> None:
    await signed_in(shown)
    await shown.get_by_role("button", name="Run a container").first.click()
    name = shown.get_by_role("dialog").locator("[name=name]")
    await name.fill("much-typed")
    await shown.mouse.click(5, 5)
    await expect(name).to_have_value("much-typed")
    await shown.keyboard.press("Escape")
    await expect(shown.get_by_role("dialog")).to_have_count(0)


async def test_a_press_beside_a_question_is_a_no(shown: Page, server: Server) -> None:
    server.containers = [stopped(1, "job", 0)]
    await signed_in(shown)
    await shown.get_by_role("button", name="More actions").first.click()
    await shown.get_by_role("menuitem", name="Remove").click()
    await expect(shown.get_by_role("dialog")).to_be_visible()
    await shown.mouse.click(5, 5)
    await expect(shown.get_by_role("dialog")).to_have_count(0)
    assert server.changes == []


async def start_slowly(page: Page, server: Server) -> asyncio.Event:
    """Fill the form in and press Run; the engine answers when the event is set."""
    server.answers["POST /containers/create"] = {"Id": identity(7), "Warnings": []}
    await signed_in(page)
    event = await held(page, "/containers/create*")
    await page.get_by_role("button", name="Run a container").first.click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Image").fill("busybox")
    await dialog.locator("[name=name]").fill("slow")
    await dialog.get_by_role("button", name="Run").click()
    await expect(dialog.get_by_role("button", name="Starting…")).to_be_visible()
    return event


@pytest.mark.parametrize("way", ["Cancel", "Escape"])
async def test_who_leaves_a_slow_start_is_not_moved_later(shown: Page, server: Server, way: str) -> None:
    event = await start_slowly(shown, server)
    if way == "Cancel":
        await shown.get_by_role("button", name="Cancel").click()
    else:
        await shown.keyboard.press("Escape")
    await expect(shown.get_by_role("dialog")).to_have_count(0)
    await shown.goto("/#/engine")
    event.set()
    await expect(shown.get_by_text("Started slow")).to_be_visible()
    await expect(shown.get_by_role("heading", name="Engine")).to_be_visible()
    assert shown.url.endswith("#/engine")


async def test_who_leaves_a_slow_start_still_hears_that_it_failed(shown: Page, server: Server) -> None:
    await fail(shown, "/containers/create*", "POST", 503)
    event = await start_slowly(shown, server)
    await shown.get_by_role("button", name="Cancel").click()
    event.set()
    await expect(shown.get_by_text("Could not run slow")).to_be_visible()
    await expect(shown.get_by_text("the database is away")).to_be_visible()
