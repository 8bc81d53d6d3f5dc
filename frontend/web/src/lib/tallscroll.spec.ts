import { describe, expect, it } from "vitest";
import { TallScroll } from "./tallscroll";

const VIEW = 500;

function scroll(total: number, limit = 100_000): TallScroll {
  const made = new TallScroll(limit);
  made.measure(total, VIEW);
  return made;
}

describe("content that fits", () => {
  it("is scrolled as it is", () => {
    const short = scroll(90_000);
    short.moved(1234);
    expect([short.position, short.offset, short.height]).toEqual([1234, 0, 90_000]);
    short.go(1e9);
    expect([short.position, short.bar]).toEqual([89_500, 89_500]);
  });

  it("may be lower than the view", () => {
    const low = scroll(100);
    low.go(50);
    expect([low.position, low.bar]).toEqual([0, 0]);
  });
});

describe("content that is too tall", () => {
  const total = 5_000_000;

  it("has its ends at the bar's ends", () => {
    const tall = scroll(total);
    expect(tall.height).toBe(100_000);
    tall.go(total);
    expect([tall.position, tall.bar]).toEqual([total - VIEW, 100_000 - VIEW]);
    tall.moved(0);
    expect([tall.position, tall.bar]).toEqual([0, 0]);
    tall.moved(100_000 - VIEW);
    expect(tall.position).toBe(total - VIEW);
  });

  it("moves by the pixels of a wheel", () => {
    const tall = scroll(total);
    tall.go(2_000_000);
    for (let turn = 1; turn <= 20_000; turn += 1) {
      const before = tall.position;
      tall.moved(tall.bar + 100);
      if (tall.position !== Math.min(before + 100, total - VIEW)) expect(tall.position).toBe(before + 100);
      if (tall.bar > 100_000 - VIEW) expect(tall.bar).toBe(100_000 - VIEW);
    }
  });

  it("is reached to its very top and end in small steps", () => {
    const tall = scroll(total);
    tall.go(300_000);
    for (let turn = 0; turn < 4000; turn += 1) tall.moved(Math.max(0, tall.bar - 100));
    expect([tall.position, tall.bar]).toEqual([0, 0]);
    tall.go(total - 300_000);
    for (let turn = 0; turn < 4000; turn += 1) tall.moved(Math.min(100_000 - VIEW, tall.bar + 100));
    expect([tall.position, tall.bar]).toEqual([total - VIEW, 100_000 - VIEW]);
  });

  it("follows a dragged thumb in proportion", () => {
    const tall = scroll(total);
    tall.moved((100_000 - VIEW) / 2);
    expect(tall.position).toBe((total - VIEW) / 2);
  });
});
