import { expect, it } from "vitest";
import { possible } from "./actions";
import type { Container } from "./protocol";

it("actions fit the state", () => {
  const at = (status: Container["status"]) => ({ status }) as Container;
  expect(possible("start", at("exited"))).toBe(true);
  expect(possible("start", at("running"))).toBe(false);
  expect(possible("unpause", at("paused"))).toBe(true);
  expect(possible("remove", at("removing"))).toBe(false);
});
