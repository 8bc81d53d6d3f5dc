"""A container's usage: the last minutes at once, then each new point."""

from __future__ import annotations

from contextlib import aclosing

from controlpanel.panel import sampling
from controlpanel.panel.topics.topic import Topic


class StatsTopic(Topic):
    async def run(self) -> None:
        container_id = (await self.container()).id
        sampler = sampling.sampler()
        points = sampler.history(container_id)
        await self.page.send_message(self.channel, {"type": "stats.history", "channel": self.channel, "points": points})
        sent = points[-1][0] if points else 0
        async with aclosing(sampler.ticks()) as ticks:
            async for _ in ticks:
                point = sampler.usage.get(container_id)
                if point is not None and point[0] > sent and self.window.is_open:
                    sent = point[0]
                    await self.page.require(self.action)
                    await self.page.send_message(
                        self.channel, {"type": "stats.point", "channel": self.channel, "point": point}
                    )
