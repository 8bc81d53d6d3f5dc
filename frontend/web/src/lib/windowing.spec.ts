import { describe, expect, it } from "vitest";
import { rowAt, tops, windowed } from "./windowing";

const heights = [30, 10, 20, 40, 10, 10];
const layout = tops(heights.length, (index) => heights[index] ?? 0);

const drawn = (from: number, to: number, kept?: number) => windowed(layout, from, to, kept);

describe("windowed", () => {
  it("knows where each row begins", () => expect([...layout]).toEqual([0, 30, 40, 60, 100, 110, 120]));

  it("finds the row at every position", () =>
    expect([-5, 0, 29, 30, 59, 60, 119, 500].map((position) => rowAt(layout, position))).toEqual([
      0, 0, 0, 1, 2, 3, 5, 5,
    ]));

  it("leaves out what is before and after", () =>
    expect(drawn(35, 59)).toEqual({
      rows: [
        { index: 1, gap: 30 },
        { index: 2, gap: 0 },
      ],
      rest: 60,
    }));

  it("keeps one row that is elsewhere in its place", () => {
    expect(drawn(100, 105, 1)).toEqual({
      rows: [
        { index: 1, gap: 30 },
        { index: 4, gap: 60 },
      ],
      rest: 10,
    });
    expect(drawn(0, 10, 4)).toEqual({
      rows: [
        { index: 0, gap: 0 },
        { index: 4, gap: 70 },
      ],
      rest: 10,
    });
  });

  it("always adds up to the whole height", () => {
    for (let from = -50; from < 200; from += 7) {
      for (let kept = -1; kept <= heights.length; kept += 1) {
        const { rows, rest } = drawn(from, from + 35, kept);
        const height = rows.reduce((sum, { index, gap }) => sum + gap + (heights[index] ?? 0), rest);
        expect(height).toBe(120);
      }
    }
  });

  it("draws nothing of nothing", () =>
    expect(
      windowed(
        tops(0, () => 1),
        0,
        100,
      ),
    ).toEqual({ rows: [], rest: 0 }));
});
