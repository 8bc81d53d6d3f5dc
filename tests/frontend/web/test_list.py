"""The list of containers at any size: what is drawn, where its menu opens, what an update touches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Page, expect

from tests.frontend.web.double import container, fleet, history, identity, port, stopped

if TYPE_CHECKING:
    from tests.frontend.web.double import Row, Server

pytestmark = pytest.mark.browser

MANY = 1000
# What may be in the document of a list that is longer than the window.
DRAWN = 60
# Counts rows that come, go or change inside, from now on, by the container's name.
COUNT_TOUCHED = """() => {
    window.touched = new Set();
    new MutationObserver((records) => {
        for (const { target, addedNodes } of records)
            for (const node of [target, ...addedNodes]) {
                const row = (node.nodeType === 1 ? node : node.parentElement)?.closest("[data-container]");
                if (row) window.touched.add(row.dataset.container);
            }
    }).observe(document.body, { childList: true, subtree: true, characterData: true, attributes: true });
}"""
CUT_OFF = """(selector) => {
    const cut = (element) => {
        const box = element.getBoundingClientRect();
        if (box.width === 0 || element.closest(".visually-hidden, .truncate")) return false;
        if (box.left < -0.5 || box.right > document.documentElement.clientWidth + 0.5) return true;
        for (let up = element.parentElement; up; up = up.parentElement) {
            if (!["auto", "scroll", "hidden"].includes(getComputedStyle(up).overflowX)) continue;
            const frame = up.getBoundingClientRect();
            if (box.left < frame.left - 0.5 || box.right > frame.right + 0.5) return true;
        }
        return false;
    };
    return [...document.querySelectorAll(selector)].filter(cut).map((each) => each.outerHTML.slice(0, 120));
}"""


def crowded() -> list[Row]:
    """Rows that need all the room a row can ask for."""
    ports = [port(18080, 18080, host_ip="127.0.0.1"), port(18443, 18443), port(15432, 15432, "udp")]
    long = "shop-frontend-with-a-name-as-long-as-compose-makes-them-1"
    return [
        container(1, long, ports=ports, image="registry.example:5000/team/shop:2", memory_limit=2**28),
        stopped(2, "killed", 137, oom_killed=True),
        container(3, "halted", status="paused", ports=ports[:2]),
    ]


@pytest.mark.parametrize("width", [1440, 1280, 1100, 1000, 800, 390])
async def test_rows_and_their_menus_are_wholly_in_the_window(shown: Page, server: Server, width: int) -> None:
    server.containers = crowded()
    server.usage = {identity(1): history(80), identity(3): history(9)}
    await shown.set_viewport_size({"width": width, "height": 800})
    await shown.goto("/")
    await expect(shown.locator("[data-container]")).to_have_count(3)
    assert await shown.evaluate(CUT_OFF, "[data-container] *") == []
    for button in await shown.get_by_role("button", name="More actions").all():
        await button.click()
        await expect(shown.get_by_role("menuitem", name="Remove")).to_be_visible()
        assert await shown.evaluate(CUT_OFF, "[role=menu], [role=menuitem]") == []
        bottom = await shown.get_by_role("menuitem").last.evaluate("(item) => item.getBoundingClientRect().bottom")
        assert bottom < 800
        await shown.keyboard.press("Escape")
        await expect(shown.get_by_role("menuitem")).to_have_count(0)
        await expect(button).to_be_focused()


@pytest.mark.parametrize("width", [1440, 390])
async def test_of_a_thousand_containers_only_the_visible_are_drawn(shown: Page, server: Server, width: int) -> None:
    server.containers = fleet(MANY)
    server.usage = {each["id"]: history(index) for index, each in enumerate(server.containers)}
    await shown.set_viewport_size({"width": width, "height": 800})
    await shown.goto("/")
    await expect(shown.locator("[data-container=web-1]")).to_be_visible()
    assert await shown.locator("[data-container]").count() < DRAWN
    await shown.keyboard.press("End")
    await expect(shown.locator(f"[data-container=web-{MANY}]")).to_be_in_viewport()
    assert await shown.locator("[data-container]").count() < DRAWN
    await shown.get_by_label("Search name, image, port").fill("web-500")
    await expect(shown.locator("[data-container]")).to_have_count(1)
    await expect(shown.locator("[data-container=web-500]")).to_be_in_viewport()


async def test_every_container_is_met_while_scrolling(shown: Page, server: Server) -> None:
    server.containers = fleet(120)
    await shown.goto("/")
    await expect(shown.locator("[data-container=web-1]")).to_be_visible()
    met: set[str] = set()
    for _ in range(120):
        met |= set(
            await shown.evaluate(
                """() => [...document.querySelectorAll("[data-container]")]
                    .filter((each) => each.getBoundingClientRect().top < innerHeight)
                    .map((each) => each.dataset.container)"""
            )
        )
        moved = await shown.evaluate("() => { const before = scrollY; scrollBy(0, 300); return scrollY > before; }")
        await shown.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        if not moved:
            break
    assert len(met) == 120


async def test_a_row_with_the_focus_stays(shown: Page, server: Server) -> None:
    server.containers = fleet(MANY)
    await shown.goto("/")
    button = shown.get_by_role("button", name="Stop web-3", exact=True)
    await button.focus()
    await shown.evaluate("() => scrollTo(0, document.documentElement.scrollHeight / 2)")
    await expect(shown.locator("[data-container=web-500]")).to_be_visible()
    await expect(button).to_be_focused()
    await shown.keyboard.press("Tab")
    await expect(shown.get_by_role("link", name="Log of web-3", exact=True)).to_be_focused()


async def test_an_update_touches_only_what_changed(shown: Page, server: Server) -> None:
    server.containers = fleet(40)
    await shown.goto("/")
    await expect(shown.locator("[data-container=web-4]")).to_be_visible()
    await shown.evaluate(COUNT_TOUCHED)
    server.change({**server.containers[3], "status": "paused"})
    await expect(shown.locator("[data-container=web-4] [data-state]")).to_have_attribute("data-state", "paused")
    assert await shown.evaluate("[...window.touched]") == ["web-4"]
    first = server.containers[1]["id"]
    server.say("containers", type="containers.usage", usage={first: history(1)[0]})
    await expect(shown.locator(f"[data-key='{first}'] meter, [data-key='{first}'] [role=meter]")).to_be_visible()
    assert len(await shown.evaluate("[...window.touched]")) == 2


async def test_enter_pressed_twice_removes_nothing(shown: Page, server: Server) -> None:
    server.containers = [container(1, "precious")]
    await shown.goto("/#/containers/precious/logs")
    button = shown.get_by_role("button", name="Remove", exact=True)
    await button.focus()
    await shown.keyboard.press("Enter")
    await expect(shown.get_by_role("dialog").get_by_role("button", name="Cancel")).to_be_focused()
    await shown.keyboard.press("Enter")
    await expect(shown.get_by_role("dialog")).to_have_count(0)
    await expect(button).to_be_focused()
    assert server.changes == []


async def test_a_question_from_the_menu_is_closed_by_escape(shown: Page, server: Server) -> None:
    server.containers = [container(1, "precious")]
    await shown.goto("/")
    more = shown.get_by_role("button", name="More actions for precious")
    await more.focus()
    await shown.keyboard.press("Enter")
    await expect(shown.get_by_role("menuitem", name="Restart")).to_be_focused()
    await shown.keyboard.press("ArrowUp")
    await shown.keyboard.press("Enter")
    await expect(shown.get_by_role("dialog", name="Remove precious?")).to_be_visible()
    await expect(shown.get_by_role("dialog").get_by_role("button", name="Cancel")).to_be_focused()
    await shown.keyboard.press("Escape")
    await expect(shown.get_by_role("dialog")).to_have_count(0)
    await expect(more).to_be_focused()
    assert server.changes == []
