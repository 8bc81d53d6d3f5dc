"""Who gets in, and what they may do then."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Page, expect

from tests.frontend.web.conftest import PASSWORD, open_container, sign_in

if TYPE_CHECKING:
    from tests.support.docker import Docker

pytestmark = [pytest.mark.system, pytest.mark.browser]


async def test_a_wrong_password_is_told_and_the_right_one_works(page: Page) -> None:
    await page.goto("/")
    await page.get_by_label("User name").fill("admin")
    await page.get_by_label("Password").fill("wrong")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("wrong user name or password")
    await expect(page.get_by_label("Password")).to_have_value("")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Containers")).to_be_visible()


async def test_the_session_lasts_over_a_reload_and_ends_with_signing_out(panel: Page) -> None:
    await panel.reload()
    await expect(panel.get_by_role("heading", name="Containers")).to_be_visible()
    await panel.get_by_role("button", name="Sign out").click()
    await expect(panel.get_by_role("heading", name="Sign in")).to_be_visible()
    await panel.reload()
    await expect(panel.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_signing_out_elsewhere_ends_this_page_too(panel: Page) -> None:
    await panel.evaluate(
        """async () => {
            const { csrf } = await (await fetch("/panel/session")).json();
            await fetch("/panel/session", { method: "DELETE", headers: { "X-CSRFToken": csrf } });
        }"""
    )
    await expect(panel.get_by_role("heading", name="Sign in")).to_be_visible()


async def test_a_viewer_looks_and_finds_no_way_to_act(page: Page, viewer: str, docker: Docker) -> None:
    container = docker("run", "-d", "--name", "seen", "busybox", "sh", "-c", "echo hello; sleep 600")
    await sign_in(page, viewer)
    row = page.locator("[data-container=seen]")
    await expect(row).to_contain_text("running")
    await expect(page.get_by_role("button", name="Run a container")).to_have_count(0)
    await expect(row.get_by_role("button")).to_have_count(0)
    await expect(row.get_by_role("checkbox")).to_have_count(0)
    await open_container(page, container, "logs")
    await expect(page.get_by_role("log")).to_contain_text("hello")
    await expect(page.get_by_role("link", name="Terminal")).to_have_count(0)
    await page.goto("/#/images")
    await expect(page.locator("[data-image^=busybox]")).to_be_visible()
    await expect(page.get_by_role("button", name="Run")).to_have_count(0)


async def test_a_token_opens_the_engine_api(panel: Page) -> None:
    await panel.goto("/#/account")
    await panel.get_by_label("Name").fill("script")
    await panel.get_by_role("button", name="Make a token").click()
    secret = await panel.locator(".secret code").inner_text()
    assert secret.startswith("muelle_")
    status = """async (headers) => (await fetch("/containers/json", { headers, credentials: "omit" })).status"""
    assert await panel.evaluate(status, {"Authorization": f"Bearer {secret}"}) == 200
    assert await panel.evaluate(status, {}) == 401
    await panel.get_by_role("button", name=re.compile("Remove script")).click()
    await panel.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(panel.get_by_text("You have no tokens.")).to_be_visible()
    assert await panel.evaluate(status, {"Authorization": f"Bearer {secret}"}) == 401
