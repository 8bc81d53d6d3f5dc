/** Routes in the address's fragment: paths such as /containers/… belong to the Engine API on this server. */

export type Tab = "logs" | "stats" | "terminal" | "inspect";
export const TABS: readonly Tab[] = ["logs", "stats", "terminal", "inspect"];

export type Route =
  | { page: "containers" }
  | { page: "container"; id: string; tab: Tab }
  | { page: "images" }
  | { page: "account" }
  | { page: "engine" }
  | { page: "missing" };

export function parse(hash: string): Route {
  const parts = hash
    .replace(/^#?\/?/, "")
    .split("/")
    .filter(Boolean)
    .map(decodeURIComponent);
  const [first, id, tab] = parts;
  if (first === undefined || (first === "containers" && id === undefined)) return { page: "containers" };
  if (first === "containers" && id !== undefined) {
    const known = TABS.find((each) => each === (tab ?? "logs"));
    return known ? { page: "container", id, tab: known } : { page: "missing" };
  }
  if (first === "images" || first === "account" || first === "engine") return { page: first };
  return { page: "missing" };
}

export function address(route: Route): string {
  if (route.page === "container") return `#/containers/${route.id}/${route.tab}`;
  return route.page === "missing" ? "#/" : `#/${route.page}`;
}
