/** Numbers and times as people read them. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

export function bytes(value: number): string {
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

export function rate(value: number): string {
  return `${bytes(value)}/s`;
}

export function percent(value: number): string {
  return `${value >= 100 ? value.toFixed(0) : value.toFixed(1)}%`;
}

const STEPS: [number, string][] = [
  [60, "second"],
  [60, "minute"],
  [24, "hour"],
  [7, "day"],
  [4.348, "week"],
  [12, "month"],
  [Infinity, "year"],
];

/** "3 hours", "1 day"; the largest unit that fits. */
export function duration(seconds: number): string {
  let value = Math.max(0, seconds);
  for (const [length, name] of STEPS) {
    if (value < length) {
      const whole = Math.floor(value);
      return `${whole} ${name}${whole === 1 ? "" : "s"}`;
    }
    value /= length;
  }
  return "";
}

export function ago(time: string, now: number): string {
  if (!time) return "never";
  const seconds = (now - Date.parse(time)) / 1000;
  return seconds < 5 ? "just now" : `${duration(seconds)} ago`;
}

/** What a container's state means right now: "Up 3 hours", "Exited (137) 5 minutes ago". */
export function stateText(
  container: { status: string; started: string; finished: string; exit_code: number },
  now: number,
): string {
  const since = (time: string) => duration((now - Date.parse(time)) / 1000);
  switch (container.status) {
    case "running":
      return `Up ${since(container.started)}`;
    case "paused":
      return `Paused, up ${since(container.started)}`;
    case "exited":
      return container.finished ? `Exited (${container.exit_code}) ${ago(container.finished, now)}` : "Exited";
    case "restarting":
      return `Restarting (${container.exit_code})`;
    case "created":
      return "Never started";
    default:
      return container.status;
  }
}

export function shortId(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 12);
}

export function localTime(time: string): string {
  return time ? new Date(time).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" }) : "";
}

export function plural(count: number, noun: string): string {
  return `${count.toLocaleString()} ${noun}${count === 1 ? "" : "s"}`;
}
