import { describe, expect, it } from "vitest";
import { ago, bytes, duration, percent, plural, shortId, stateText } from "./format";

const NOW = Date.parse("2026-01-31T12:00:00Z");
const stopped = { started: "2026-01-31T09:00:00Z", finished: "2026-01-31T11:58:00Z", exit_code: 137 };

describe("numbers", () => {
  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 KiB"],
    [150 * 1024, "150 KiB"],
    [1.5 * 1024 ** 3, "1.5 GiB"],
    [5000 * 1024 ** 4, "5000 TiB"],
  ])("shows %d bytes as %s", (value, text) => expect(bytes(value)).toBe(text));

  it("shows whole percents from a hundred on", () => {
    expect(percent(7.25)).toBe("7.3%");
    expect(percent(173.4)).toBe("173%");
  });

  it("counts nouns", () => {
    expect(plural(1, "container")).toBe("1 container");
    expect(plural(0, "container")).toBe("0 containers");
  });
});

describe("times", () => {
  it.each([
    [0, "0 seconds"],
    [1, "1 second"],
    [61, "1 minute"],
    [7200, "2 hours"],
    [3 * 86400, "3 days"],
    [400 * 86400, "1 year"],
    [-5, "0 seconds"],
  ])("shows %d seconds as %s", (seconds, text) => expect(duration(seconds)).toBe(text));

  it("says when something was", () => {
    expect(ago("2026-01-31T11:59:58Z", NOW)).toBe("just now");
    expect(ago("2026-01-31T11:00:00Z", NOW)).toBe("1 hour ago");
    expect(ago("", NOW)).toBe("never");
  });

  it.each([
    ["running", "Up 3 hours"],
    ["paused", "Paused, up 3 hours"],
    ["exited", "Exited (137) 2 minutes ago"],
    ["restarting", "Restarting (137)"],
    ["created", "Never started"],
    ["dead", "dead"],
  ])("describes %s", (status, text) => expect(stateText({ status, ...stopped }, NOW)).toBe(text));
});

it("cuts IDs of containers and images alike", () => {
  expect(shortId("sha256:" + "ab".repeat(32))).toBe("abababababab");
  expect(shortId("cd".repeat(32))).toBe("cdcdcdcdcdcd");
});
