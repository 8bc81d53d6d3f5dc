/** Routes in the address's fragment: paths such as /containers/… belong to the Engine API on this server. */

export type Tab = "logs" | "stats" | "terminal" | "inspect";
export const TABS: readonly Tab[] = ["logs", "stats", "terminal", "inspect"];

export type Route =
  | { page: "containers" }
  /** `reference` is a name, which lives on when the container is made anew, or an ID. */
  | { page: "container"; reference: string; tab: Tab }
  | { page: "images" }
  | { page: "account" }
  | { page: "engine" }
  | { page: "missing" };

/** Every text is some route; what no page stands for, malformed escapes too, is "missing". */
export function parse(hash: string): Route {
  const parts = decoded(
    hash
      .replace(/^#?\/?/, "")
      .split("/")
      .filter(Boolean),
  );
  if (parts === null) return { page: "missing" };
  const [first, reference, tab = "logs", ...more] = parts;
  if (first === undefined) return { page: "containers" };
  if (first === "containers" && reference !== undefined) {
    const known = TABS.find((each) => each === tab);
    return known && more.length === 0 ? { page: "container", reference, tab: known } : { page: "missing" };
  }
  const known = reference === undefined && PLAIN.find((each) => each === first);
  return known ? { page: known } : { page: "missing" };
}

const PLAIN = ["containers", "images", "account", "engine"] as const;

/** Null when an escape is malformed, as `%E0%A4%A`. */
function decoded(parts: string[]): string[] | null {
  try {
    return parts.map(decodeURIComponent);
  } catch {
    return null;
  }
}

export function address(route: Route): string {
  if (route.page === "container") return `#/containers/${encodeURIComponent(route.reference)}/${route.tab}`;
  return route.page === "missing" ? "#/" : `#/${route.page}`;
}

/** Where a container's page is: under its name if it has one, so that links outlive it. */
export function addressOf(container: { id: string; name: string }, tab: Tab): string {
  return address({ page: "container", reference: container.name || container.id, tab });
}
