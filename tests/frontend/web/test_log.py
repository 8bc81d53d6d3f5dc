"""Reading a long and busy log: the reader's place is kept, the newest line is reached, what is said of it is true."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Page, expect

from tests.frontend.web.double import container, stopped

if TYPE_CHECKING:
    from playwright.async_api import Locator

    from tests.frontend.web.double import Server

pytestmark = pytest.mark.browser

TIME = "2026-01-01T00:00:00.000000000Z"
OLDER = "Older lines are not in this view"
# Ten million pixels in a narrow window: more than the page lets an element be high.
TALL_LINES = 18_000
WIDE_LINE = "wrapped " * 200
# The distance of a line from the upper edge of the log, in pixels.
PLACE = """(text) => {
    const port = document.querySelector("[role=log]");
    const line = [...port.querySelectorAll(".line")].find((each) => each.textContent.startsWith(text));
    return line ? line.getBoundingClientRect().top - port.getBoundingClientRect().top : null;
}"""
FIRST_LINE = """() => {
    const port = document.querySelector("[role=log]");
    const edge = port.getBoundingClientRect().top + 5;
    const line = [...port.querySelectorAll(".line")].find((each) => each.getBoundingClientRect().bottom > edge);
    return line.textContent.slice(0, 12);
}"""
# The end of the last line, counted from the lower edge of the log; and whether the bar is at its end.
BELOW = """() => {
    const port = document.querySelector("[role=log]");
    const line = [...port.querySelectorAll(".line")].at(-1);
    return port.getBoundingClientRect().top + port.clientHeight - line.getBoundingClientRect().bottom;
}"""


def lines(count: int, word: str = "line", more: str = "", start: int = 0) -> list[list[str]]:
    return [[TIME, "o", f"{word} {number:06d} {more}"] for number in range(start, start + count)]


async def open_log(page: Page, server: Server) -> Locator:
    server.containers = [container(1, "talker")]
    await page.goto("/#/containers/talker/logs")
    await expect(page.get_by_role("log").locator(".line").last).to_be_visible()
    return page.get_by_role("log")


async def scroll_up(page: Page, log: Locator, pixels: int = 3000) -> str:
    """Scroll as a reader does; the result is the beginning of the line at the upper edge."""
    await log.hover()
    await page.mouse.wheel(0, -pixels)
    await expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "false")
    await settled(page)
    return str(await page.evaluate(FIRST_LINE))


async def settled(page: Page) -> None:
    """Wait until the log does not move any more."""
    await page.wait_for_function(
        """() => {
            const at = document.querySelector("[role=log]").scrollTop;
            const same = window.wasAt === at;
            window.wasAt = at;
            return same;
        }""",
        polling=200,
    )


async def test_a_readers_place_is_kept_while_more_comes_than_the_page_holds(shown: Page, server: Server) -> None:
    server.lines = lines(2000)
    log = await open_log(shown, server)
    first = await scroll_up(shown, log)
    before = await shown.evaluate(PLACE, first)
    for batch in range(30):
        server.write(lines(1000, "later", start=batch * 1000))
        assert await shown.evaluate(PLACE, first) == before
    await expect(shown.locator(".count")).to_have_text(re.compile("32,000 lines"))
    assert await shown.evaluate(PLACE, first) == before
    server.write(lines(15_000, "much later"))
    await expect(shown.get_by_text(re.compile("7,000 newer lines wait while you read"))).to_be_visible()
    assert await shown.evaluate(PLACE, first) == before
    server.lines = lines(2000, "newest")
    await shown.get_by_role("button", name="Follow").click()
    await expect(log).to_contain_text("newest 001999")
    await expect(shown.get_by_text("newer lines wait")).to_have_count(0)


async def test_a_readers_place_is_kept_when_lines_are_hidden_or_the_window_changes(shown: Page, server: Server) -> None:
    server.lines = [[time, "e" if number % 2 else "o", text] for number, (time, _, text) in enumerate(lines(2000))]
    log = await open_log(shown, server)
    first = await scroll_up(shown, log)
    number = int(first.split()[1])
    await shown.get_by_role("button", name="stdout" if number % 2 else "stderr").click()
    await expect(log.locator(".line").filter(has_text=f"line {number + 1:06d}")).to_have_count(0)
    assert await shown.evaluate(FIRST_LINE) == first
    await shown.set_viewport_size({"width": 1000, "height": 700})
    await settled(shown)
    assert await shown.evaluate(FIRST_LINE) == first


async def test_the_newest_of_many_wrapped_lines_is_followed(shown: Page, server: Server) -> None:
    server.lines = lines(TALL_LINES, more=WIDE_LINE)
    await shown.set_viewport_size({"width": 800, "height": 800})
    log = await open_log(shown, server)
    await expect(log).to_contain_text(f"line {TALL_LINES - 1:06d}", timeout=60_000)
    await settled(shown)
    assert 0 <= await shown.evaluate(BELOW) < 20
    server.write(lines(5, "and then"))
    await expect(log).to_contain_text("and then 000004")
    await settled(shown)
    assert 0 <= await shown.evaluate(BELOW) < 20
    first = await scroll_up(shown, log, 5000)
    before = await shown.evaluate(PLACE, first)
    server.write(lines(200, "at last", WIDE_LINE))
    await expect(shown.locator(".count")).to_contain_text(f"{TALL_LINES + 205:,}")
    assert await shown.evaluate(PLACE, first) == before
    await log.focus()
    await shown.keyboard.press("Home")
    await expect(log).to_contain_text("line 000000")
    await settled(shown)
    assert await shown.evaluate(PLACE, "line 000000") == 10
    await shown.keyboard.press("End")
    await expect(log).to_contain_text("at last 000199")
    await settled(shown)
    assert 0 <= await shown.evaluate(BELOW) < 20
    await expect(shown.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "true")


async def test_lines_that_fonts_draw_wider_than_expected_are_followed_too(shown: Page, server: Server) -> None:
    strange = "日本語 \u0301\u0301\u0301 👩‍👩‍👧‍👦 ﷽ " * 30
    server.lines = lines(1500, more=strange)
    log = await open_log(shown, server)
    await expect(log).to_contain_text("line 001499")
    await settled(shown)
    assert 0 <= await shown.evaluate(BELOW) < 20
    first = await scroll_up(shown, log)
    before = await shown.evaluate(PLACE, first)
    server.write(lines(300, "later", more=strange))
    await expect(shown.locator(".count")).to_contain_text("1,800")
    assert await shown.evaluate(PLACE, first) == before


async def test_a_search_says_what_it_has_searched(shown: Page, server: Server) -> None:
    server.lines, server.older = lines(2000), True
    log = await open_log(shown, server)
    await expect(shown.locator(".count")).to_have_text("the newest 2,000 lines")
    await expect(shown.get_by_text(OLDER)).to_be_visible()
    await shown.get_by_label("Filter lines").fill("nothing has this")
    await expect(log).to_contain_text("No match in the newest 2,000 lines.")
    await expect(log).to_contain_text("Older lines are in the log that can be downloaded")
    await expect(shown.locator(".count")).to_have_text("0 of the newest 2,000 lines")
    await shown.get_by_label("Filter lines").fill("line 00001")
    await expect(shown.locator(".count")).to_have_text("10 of the newest 2,000 lines")
    await shown.get_by_role("button", name="Only matches").click()
    await expect(shown.locator(".count")).to_have_text("10 of the newest 2,000 lines")
    await shown.get_by_role("button", name="Clear").click()
    await shown.get_by_label("Filter lines").fill("")
    await expect(log).to_contain_text("Nothing was written since the view was emptied.")


async def test_a_short_log_is_searched_whole(shown: Page, server: Server) -> None:
    server.lines = lines(3)
    log = await open_log(shown, server)
    await expect(shown.locator(".count")).to_have_text("3 lines")
    await shown.get_by_label("Filter lines").fill("nothing has this")
    await expect(log).to_contain_text(re.compile(r"No match in all 3 lines\.\s*$"))


async def test_lines_that_come_live_do_not_make_a_whole_log_a_part_of_one(shown: Page, server: Server) -> None:
    server.lines = lines(1990)
    await open_log(shown, server)
    server.write(lines(100, "later"))
    await expect(shown.locator(".count")).to_have_text("2,090 lines")
    await expect(shown.get_by_text(OLDER)).to_have_count(0)


async def test_only_a_container_that_has_stopped_is_said_to(shown: Page, server: Server) -> None:
    server.lines = lines(3)
    log = await open_log(shown, server)
    end = shown.get_by_text("this is the end of its log")
    server.say("logs", type="logs.ended")
    server.change(stopped(1, "talker", 0))
    await expect(end).to_be_visible()
    server.change(container(1, "talker"))
    await expect(end).to_have_count(0)
    server.change(container(2, "new", status="created", started="", address=""))
    server.lines = []
    await shown.goto("/#/containers/new/logs")
    await expect(log).to_contain_text("It has not been started yet.")
    server.say("logs", type="logs.ended")
    server.write(lines(1))
    await expect(log).to_contain_text("line 000000")
    await expect(end).to_have_count(0)


async def test_a_log_without_connection_does_not_pretend_to_be_live(shown: Page, server: Server) -> None:
    server.lines = lines(3)
    await open_log(shown, server)
    server.reachable = False
    await server.drop()
    await expect(shown.get_by_text("nothing new comes until it is back")).to_be_visible()
    server.reachable = True
    await expect(shown.get_by_text("nothing new comes until it is back")).to_have_count(0)
