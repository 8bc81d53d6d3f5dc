import { describe, expect, it } from "vitest";
import { command, read, SHELLS } from "./shells";

describe("a choice", () => {
  it("stands for a command", () => {
    const choice = { shell: "/bin/ash", other: "", user: "" };
    expect(command(choice)).toEqual(["/bin/ash"]);
    expect(command({ ...choice, shell: "other", other: "python3 -c 'print(1)'" })).toEqual([
      "python3",
      "-c",
      "print(1)",
    ]);
    expect(command({ ...choice, shell: "automatic" })[0]).toBe("/bin/sh");
  });

  it.each(["", "   "])("of %j is none", (other) =>
    expect(() => command({ shell: "other", other, user: "" })).toThrow("Say which command"),
  );

  it("is read as it was stored", () => {
    const choice = { shell: "other", other: "sh -l", user: "app" };
    expect(read(JSON.stringify(choice))).toEqual(choice);
  });

  it.each([null, "", "{", "null", "7", '"x"', "[]", '{"shell":"rm"}', '{"shell":["/bin/sh"],"user":5}'])(
    "is the first one when %j was stored",
    (text) => {
      const choice = read(text);
      expect(SHELLS).toContain(choice.shell);
      expect(choice).toEqual({ shell: "automatic", other: "", user: "" });
    },
  );
});
