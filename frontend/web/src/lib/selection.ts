/** Which containers the list shows, and in which order. */

import type { Container, Point, Status } from "./protocol";

export type SortKey = "name" | "state" | "cpu" | "memory" | "created";

export interface Sort {
  key: SortKey;
  descending: boolean;
}

export type Group = "all" | "running" | "paused" | "stopped";

export const GROUPS: Record<Group, readonly Status[]> = {
  all: ["created", "starting", "running", "paused", "restarting", "exited", "removing", "dead"],
  running: ["starting", "running", "restarting"],
  paused: ["paused"],
  stopped: ["created", "exited", "removing", "dead"],
};

const STATE_ORDER: readonly Status[] = [
  "running",
  "restarting",
  "starting",
  "paused",
  "dead",
  "exited",
  "created",
  "removing",
];

/** Every word must occur in the name, image, ID, command or a port. */
export function matches(container: Container, query: string): boolean {
  const ports = container.ports.map((port) => `${port.host_port}:${port.container_port}`);
  const text = [container.name, container.image, container.id, container.command, ...ports].join(" ").toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** Those of the group that match, sorted; equal ones by name, so that rows do not jump. */
export function select(
  containers: Iterable<Container>,
  usage: (id: string) => Point | undefined,
  { group, query, sort }: { group: Group; query: string; sort: Sort },
): Container[] {
  const chosen = [...containers].filter(
    (container) => GROUPS[group].includes(container.status) && matches(container, query.trim()),
  );
  const direction = sort.descending ? -1 : 1;
  const rank = ranking(sort.key, usage);
  return chosen
    .map((container) => ({ container, rank: rank(container) }))
    .sort((a, b) => direction * (a.rank - b.rank || 0) || byName(a.container, b.container, sort, direction))
    .map(({ container }) => container);
}

// Made once: comparing by a locale costs far more when each comparison looks the locale up.
const collator = new Intl.Collator(undefined, { numeric: true });

function byName(a: Container, b: Container, sort: Sort, direction: number): number {
  return (sort.key === "name" ? direction : 1) * collator.compare(a.name, b.name);
}

/** What is compared, computed once for each container. */
function ranking(key: SortKey, usage: (id: string) => Point | undefined): (container: Container) => number {
  switch (key) {
    case "name":
      return () => 0;
    case "state":
      return ({ status }) => STATE_ORDER.indexOf(status);
    case "created":
      return ({ created }) => Date.parse(created);
    case "cpu":
      return ({ id }) => usage(id)?.[1] ?? -1;
    case "memory":
      return ({ id }) => usage(id)?.[2] ?? -1;
  }
}
