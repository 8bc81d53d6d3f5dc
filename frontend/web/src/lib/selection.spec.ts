import { expect, it } from "vitest";
import type { Container, Point } from "./protocol";
import { matches, select, type Group, type SortKey } from "./selection";

const container = (name: string, status: Container["status"], more: Partial<Container> = {}): Container => ({
  id: name.repeat(8),
  name,
  image: "busybox",
  image_id: "",
  command: "sh",
  status,
  exit_code: 0,
  error: "",
  oom_killed: false,
  created: "2026-01-01T00:00:00Z",
  started: "",
  finished: "",
  restarts: 0,
  restart_policy: "no",
  auto_remove: false,
  tty: false,
  address: "",
  ports: [],
  memory_limit: 0,
  ...more,
});

const web = container("web", "running", {
  image: "nginx:1.27",
  ports: [{ host_ip: "", host_port: 8080, container_port: 80, protocol: "tcp" }],
});
const list = [container("db", "exited"), web, container("api", "running"), container("cache", "paused")];
const usage = new Map<string, Point>([
  [web.id, [0, 10, 5, 0, 0, 0, 0, 0, 0]],
  ["api".repeat(8), [0, 20, 1, 0, 0, 0, 0, 0, 0]],
]);

const names = (group: Group, key: SortKey, descending: boolean, query = "") =>
  select(list, (id) => usage.get(id), { group, query, sort: { key, descending } }).map(({ name }) => name);

it("sorts, equal ones by name", () => {
  expect(names("all", "name", false)).toEqual(["api", "cache", "db", "web"]);
  expect(names("all", "cpu", true)).toEqual(["api", "web", "cache", "db"]);
  expect(names("all", "memory", true)).toEqual(["web", "api", "cache", "db"]);
  expect(names("all", "state", false)).toEqual(["api", "web", "cache", "db"]);
  expect(names("all", "created", true)).toEqual(["api", "cache", "db", "web"]);
});

it("filters by state and text", () => {
  expect(names("running", "name", false)).toEqual(["api", "web"]);
  expect(names("stopped", "name", false)).toEqual(["db"]);
  expect(names("all", "name", false, " NGINX ")).toEqual(["web"]);
});

it("wants every word, in any field", () => {
  expect(matches(web, "8080 web")).toBe(true);
  expect(matches(web, "8080 db")).toBe(false);
});
