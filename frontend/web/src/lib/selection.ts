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
  const compare = comparison(sort.key, usage);
  return chosen.sort((a, b) => direction * compare(a, b) || a.name.localeCompare(b.name));
}

function comparison(key: SortKey, usage: (id: string) => Point | undefined): (a: Container, b: Container) => number {
  const figure = (index: number) => (container: Container) => usage(container.id)?.[index] ?? -1;
  switch (key) {
    case "name":
      return (a, b) => a.name.localeCompare(b.name);
    case "state":
      return (a, b) => STATE_ORDER.indexOf(a.status) - STATE_ORDER.indexOf(b.status);
    case "created":
      return (a, b) => Date.parse(a.created) - Date.parse(b.created);
    case "cpu":
      return by(figure(1));
    case "memory":
      return by(figure(2));
  }
}

function by(value: (container: Container) => number): (a: Container, b: Container) => number {
  return (a, b) => value(a) - value(b);
}
