import { describe, expect, it } from "vitest";
import { latest } from "./latest";

/** Questions whose answers a test gives in any order. */
function desk() {
  const open: { give: (answer: string) => void; refuse: (error: unknown) => void }[] = [];
  const heard: unknown[] = [];
  const ask = latest(
    (_word: string) => new Promise<string>((give, refuse) => open.push({ give, refuse })),
    (answer) => heard.push(answer),
    (error) => heard.push(error),
  );
  return { ask, open, heard };
}

describe("latest", () => {
  it("drops what was asked before", async () => {
    const { ask, open, heard } = desk();
    const asked = [ask("one"), ask("two"), ask("three")];
    open[2]?.give("third");
    open[0]?.give("first");
    open[1]?.refuse("second failed");
    await Promise.all(asked);
    expect(heard).toEqual(["third"]);
  });

  it("hands on every answer that is not overtaken, failures too", async () => {
    const { ask, open, heard } = desk();
    const first = ask("one");
    open[0]?.give("first");
    await first;
    const second = ask("two");
    open[1]?.refuse("second failed");
    await second;
    expect(heard).toEqual(["first", "second failed"]);
  });
});
