"""How fast the list of containers is: ``python -m tests.frontend.web.measure [count ...]``.

Prints for each count the time from opening the page to the first rows, the frames per second while it scrolls, the
longest frame, and the rows in the document; and, as a busy machine changes those, the processor time of the page's
main thread for the same. Not a test: a machine's speed proves nothing.
"""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Any

from playwright.async_api import Browser, async_playwright

from install import page as page_build
from tests.frontend.web.conftest import ARGUMENTS, CHROMIUM, new_context
from tests.frontend.web.double import ORIGIN, Server, fleet, history

if TYPE_CHECKING:
    from playwright.async_api import CDPSession

COUNTS = (300, 1000)
SCROLL_MILLISECONDS = 4000
MEASURE_SECONDS = 2.0
# Remembers when the page began and when the first row was in the document.
WATCH = """
    new MutationObserver((_, observer) => {
        if (!document.querySelector("[data-container]")) return;
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(() => (window.listed = performance.now())));
    }).observe(document, { childList: true, subtree: true });
"""
# Thirty pixels a frame, as a fast wheel does; the list is turned round at its ends.
SCROLL = """(duration) => new Promise((resolve) => {
    const times = [];
    let step = 30;
    const begin = performance.now();
    const frame = (now) => {
        times.push(now);
        const end = document.documentElement.scrollHeight - innerHeight;
        if (scrollY >= end - 1) step = -30;
        if (scrollY <= 0) step = 30;
        scrollBy(0, step);
        if (now - begin < duration) requestAnimationFrame(frame);
        else {
            const gaps = times.slice(1).map((time, index) => time - times[index]);
            const longest = Math.max(...gaps);
            resolve({ frames: gaps.length, fps: (1000 * gaps.length) / (times.at(-1) - times[0]), longest });
        }
    };
    requestAnimationFrame(frame);
})"""


async def measured(browser: Browser, count: int) -> dict[str, Any]:
    server = Server(page_build.PAGE / "dist", "")
    server.containers = fleet(count)
    server.usage = {row["id"]: history(index) for index, row in enumerate(server.containers)}
    context = await new_context(browser, ORIGIN)
    await server.serve(context)
    page = await context.new_page()
    client = await context.new_cdp_session(page)
    await client.send("Performance.enable", {"timeDomain": "threadTicks"})
    await page.add_init_script(WATCH)
    await page.goto("/")
    await page.wait_for_function("window.listed", timeout=120_000)
    listed = await page.evaluate("window.listed")
    list_work = await _work(client)
    pulse = asyncio.create_task(_pulse(server))
    scrolled = await page.evaluate(SCROLL, SCROLL_MILLISECONDS)
    pulse.cancel()
    scroll_work = await _work(client) - list_work
    server.measure(99)
    await page.wait_for_timeout(1500)
    update_work = await _work(client) - list_work - scroll_work
    rows = await page.locator("[data-container]").count()
    await context.close()
    work = {"list_work": list_work, "frame_work": scroll_work / scrolled["frames"], "update_work": update_work}
    return {"listed": listed, "rows": rows, **work, **scrolled}


async def _pulse(server: Server) -> None:
    """Usage of everything every two seconds, as the server sends it."""
    seed = 0
    while True:
        await asyncio.sleep(MEASURE_SECONDS)
        seed += 1
        server.measure(seed)


async def _work(client: CDPSession) -> float:
    """Milliseconds of processor time that the page's main thread has used so far."""
    metrics = (await client.send("Performance.getMetrics"))["metrics"]
    return float({each["name"]: each["value"] for each in metrics}["TaskDuration"]) * 1000


async def main(counts: list[int]) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for count in counts:
            result = await measured(browser, count)
            print(
                f"{count} containers: listed after {result['listed']:.0f} ms, {result['fps']:.0f} frames/s, "
                f"longest frame {result['longest']:.0f} ms, {result['rows']} rows drawn; "
                f"processor time: {result['list_work']:.0f} ms to list, "
                f"{result['frame_work']:.1f} ms a frame, {result['update_work']:.0f} ms an update"
            )
        await browser.close()


if __name__ == "__main__":
    asyncio.run(main([int(word) for word in sys.argv[1:]] or list(COUNTS)))
