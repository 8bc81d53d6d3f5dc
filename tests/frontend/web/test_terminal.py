"""Terminals as the page keeps them: started on purpose, left by the keyboard, alive while other pages are looked at."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Page, expect

from tests.frontend.web.double import container

if TYPE_CHECKING:
    from playwright.async_api import Locator

    from tests.frontend.web.double import Server

pytestmark = pytest.mark.browser

FOCUS_IN_TERMINAL = "() => !!document.activeElement.closest('.xterm')"


async def open_tab(page: Page, server: Server) -> None:
    server.containers = [container(1, "web"), container(2, "db")]
    await page.goto("/#/containers/web/terminal")
    await expect(page.get_by_text("Nothing runs here yet")).to_be_visible()


async def start(page: Page) -> Locator:
    await page.locator("form").get_by_role("button", name="Start").click()
    screen = page.locator(".xterm-rows")
    await expect(screen).to_contain_text("/ #")
    await expect(page.locator(".xterm-helper-textarea")).to_be_focused()
    return screen


async def test_nothing_starts_before_it_is_chosen_and_the_choice_is_remembered(shown: Page, server: Server) -> None:
    await open_tab(shown, server)
    assert server.opened("terminal") == []
    await shown.get_by_label("Shell").select_option("other")
    await shown.get_by_role("button", name="Start", exact=True).click()
    await expect(shown.get_by_text("Say which command to run.")).to_be_visible()
    assert server.opened("terminal") == []
    await shown.get_by_label("Command").fill("python3 -q")
    await shown.get_by_label("User").fill("app")
    await start(shown)
    (request,) = server.opened("terminal")
    assert (request["command"], request["user"]) == (["python3", "-q"], "app")
    await shown.reload()
    await expect(shown.get_by_label("Command")).to_have_value("python3 -q")
    await expect(shown.get_by_label("User")).to_have_value("app")
    assert len(server.opened("terminal")) == 1


@pytest.mark.parametrize("key", ["Tab", "Shift+Tab"])
async def test_the_keyboard_leaves_a_terminal(shown: Page, server: Server, key: str) -> None:
    await open_tab(shown, server)
    await start(shown)
    await expect(shown.get_by_text("Esc, then Tab leaves the terminal.")).to_be_visible()
    name = shown.get_by_role("textbox", name="Terminal in web. Escape, then Tab leaves it.")
    await expect(name).to_be_focused()
    await shown.keyboard.press(key)
    assert await shown.evaluate(FOCUS_IN_TERMINAL)
    await shown.keyboard.press("Escape")
    await shown.keyboard.press("a")
    await shown.keyboard.press(key)
    assert await shown.evaluate(FOCUS_IN_TERMINAL)
    await shown.keyboard.press("Escape")
    await shown.keyboard.press(key)
    assert not await shown.evaluate(FOCUS_IN_TERMINAL)
    typed = [data for _, data in server.typed]
    tab = b"\t" if key == "Tab" else b"\x1b[Z"
    assert typed == [tab, b"\x1b", b"a", tab, b"\x1b"]


async def test_a_session_runs_on_behind_other_tabs_and_pages(shown: Page, server: Server) -> None:
    await open_tab(shown, server)
    screen = await start(shown)
    server.show(b"before\r\n")
    await expect(screen).to_contain_text("before")
    await shown.get_by_role("link", name="Inspect").click()
    await expect(screen).to_have_count(0)
    server.show(b"meanwhile\r\n")
    await shown.get_by_role("link", name="Terminal", exact=True).click()
    await expect(screen).to_contain_text(re.compile("before.*meanwhile"))
    await shown.get_by_role("link", name="Images").click()
    mark = shown.get_by_role("region", name="Running terminals")
    await expect(mark.get_by_role("link", name="Terminal in web, running")).to_be_visible()
    await shown.get_by_role("link", name="Containers", exact=False).first.click()
    await expect(
        shown.locator("[data-container=web]").get_by_role("link", name="Terminal in web, running")
    ).to_be_visible()
    await mark.get_by_role("link").click()
    await expect(screen).to_contain_text("meanwhile")
    await shown.keyboard.type("x")
    assert len(server.opened("terminal")) == 1
    assert not [
        each for each in server.received if each["type"] == "close" and each["channel"] == server.channels["terminal"]
    ]
    await mark.get_by_role("button", name="End the terminal in web").click()
    await expect(mark).to_have_count(0)
    await expect(shown.get_by_text("You ended the session.")).to_be_visible()
    await expect(screen).to_contain_text("meanwhile")
    assert server.received[-1] == {"type": "close", "channel": server.channels["terminal"]}
    await expect(shown.get_by_role("button", name="Start again")).to_be_visible()


async def test_two_containers_have_a_terminal_each(shown: Page, server: Server) -> None:
    await open_tab(shown, server)
    screen = await start(shown)
    server.show(b"first\r\n")
    await shown.goto("/#/containers/db/terminal")
    await expect(shown.get_by_text("Nothing runs here yet")).to_be_visible()
    await start(shown)
    server.show(b"second\r\n")
    await expect(screen).to_contain_text("second")
    mark = shown.get_by_role("region", name="Running terminals")
    await expect(mark.get_by_role("link")).to_have_count(2)
    await mark.get_by_role("link", name="Terminal in web, running").click()
    await expect(screen).to_contain_text("first")


async def test_a_lost_connection_ends_the_session_and_starts_no_other(shown: Page, server: Server) -> None:
    await open_tab(shown, server)
    screen = await start(shown)
    server.show(b"before\r\n")
    await server.drop()
    await expect(shown.get_by_text("The connection was lost, and this shell with it.")).to_be_visible()
    await expect(screen).to_contain_text("before")
    await expect(shown.get_by_text("reconnecting")).to_have_count(0)
    assert len(server.opened("terminal")) == 1


async def test_signing_out_ends_all_sessions(shown: Page, server: Server) -> None:
    await open_tab(shown, server)
    await start(shown)
    server.user = None
    await shown.get_by_role("button", name="Sign out").click()
    await expect(shown.get_by_role("heading", name="Sign in")).to_be_visible()
    server.user = {"name": "other", "is_admin": True}
    await shown.get_by_label("User name").fill("other")
    await shown.get_by_label("Password").fill("a long enough password")
    await shown.keyboard.press("Enter")
    await expect(shown.get_by_text("Nothing runs here yet")).to_be_visible()
    assert len(server.opened("terminal")) == 1


async def test_a_screen_reader_can_follow_the_output(shown: Page, server: Server) -> None:
    await open_tab(shown, server)
    await start(shown)
    await shown.get_by_label("Screen reader follows the output").check()
    server.show(b"spoken\r\n")
    await expect(shown.locator(".xterm-accessibility-tree")).to_contain_text("spoken")
