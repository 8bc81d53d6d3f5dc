"""What every page owes to phones, keyboards, screen readers and the chosen theme."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Page, expect

from tests.frontend.web.conftest import PHONE, open_container

if TYPE_CHECKING:
    from tests.support.docker import Docker

pytestmark = [pytest.mark.system, pytest.mark.browser]

PAGES = ("containers", "images", "engine", "account", "nowhere")
TABS = ("logs", "stats", "terminal", "inspect")
# Elements that can be operated but have no name that a screen reader could say.
NAMELESS = """() => [...document.querySelectorAll("button, a[href], input, select, textarea, [role=meter], [role=img]")]
    .filter((element) => element.checkVisibility())
    .filter((element) => !(
        element.getAttribute("aria-label") || element.textContent.trim() || element.labels?.length ||
        element.getAttribute("aria-labelledby")
    ))
    .map((element) => element.outerHTML.slice(0, 200))"""
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


async def every_page(page: Page, docker: Docker, check: str) -> dict[str, object]:
    """The result of ``check`` in each page, where it is not empty."""
    container = docker(
        "run", "-d", "--name", "a-container-with-a-rather-long-name-for-a-small-screen", "busybox", "sleep", "600"
    )
    await expect(page.locator("[data-container]")).to_have_count(1)
    found: dict[str, object] = {}
    for name in PAGES:
        await page.goto(f"/#/{name}")
        await expect(page.locator("[aria-busy=true]")).to_have_count(0)
        found[name] = await page.evaluate(check)
    for tab in TABS:
        await open_container(page, container, tab)
        await expect(page.locator("[aria-busy=true]")).to_have_count(0)
        found[tab] = await page.evaluate(check)
    return {name: result for name, result in found.items() if result}


async def test_nothing_is_wider_than_a_phone(panel: Page, docker: Docker) -> None:
    await panel.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    assert await every_page(panel, docker, OVERFLOW) == {}


async def test_everything_has_a_name(panel: Page, docker: Docker) -> None:
    assert await every_page(panel, docker, NAMELESS) == {}


async def test_a_phone_shows_cards(panel: Page, docker: Docker) -> None:
    docker("run", "-d", "--name", "carded", "busybox", "sleep", "600")
    await panel.set_viewport_size({"width": PHONE["width"], "height": PHONE["height"]})
    await expect(panel.locator("li[data-container=carded]")).to_contain_text("running")
    await expect(panel.get_by_role("table")).to_have_count(0)


async def test_the_chosen_theme_stays(panel: Page) -> None:
    root = panel.locator("html")
    await expect(root).to_have_attribute("data-theme", "light")
    await panel.get_by_role("radio", name="Dark").click()
    await expect(root).to_have_attribute("data-theme", "dark")
    await panel.reload()
    await expect(root).to_have_attribute("data-theme", "dark")
    await panel.get_by_role("radio", name="As the system").click()
    await expect(root).to_have_attribute("data-theme", "light")
    await panel.emulate_media(color_scheme="dark")
    await expect(root).to_have_attribute("data-theme", "dark")


async def test_a_dialog_keeps_the_focus_and_gives_it_back(panel: Page) -> None:
    button = panel.get_by_role("button", name="Run a container").first
    await button.focus()
    await panel.keyboard.press("Enter")
    await expect(panel.get_by_role("dialog").get_by_label("Image")).to_be_focused()
    for _ in range(40):
        await panel.keyboard.press("Tab")
        inside = "() => document.activeElement === document.body || !!document.activeElement.closest('dialog')"
        assert await panel.evaluate(inside)
    await panel.keyboard.press("Escape")
    await expect(panel.get_by_role("dialog")).to_have_count(0)
    await expect(button).to_be_focused()
