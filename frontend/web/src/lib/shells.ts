/** What a terminal runs: the choice of a shell, remembered in this browser, and the command that it stands for. */

import { words } from "./runform";

export interface Choice {
  /** One of SHELLS. */
  shell: string;
  /** The command line, when the shell is "other". */
  other: string;
  /** Empty for the container's own. */
  user: string;
}

export const SHELLS: readonly string[] = ["automatic", "/bin/sh", "/bin/bash", "/bin/ash", "other"];
const FIRST: Choice = { shell: "automatic", other: "", user: "" };
const KEY = "muelle.terminal";
// The best shell that the image has; exec, so that leaving it ends the session.
const AUTOMATIC = ["/bin/sh", "-c", "exec $(command -v bash || command -v ash || echo sh)"];

/** Throws an Error with a sentence for the user when there is nothing to run. */
export function command({ shell, other }: Choice): string[] {
  if (shell === "automatic") return AUTOMATIC;
  const wanted = shell === "other" ? words(other) : [shell];
  if (wanted.length === 0) throw new Error("Say which command to run.");
  return wanted;
}

export function remember(choice: Choice): void {
  localStorage.setItem(KEY, JSON.stringify(choice));
}

export function remembered(): Choice {
  return read(localStorage.getItem(KEY));
}

/** Anything may be stored there, by an older page or by hand. */
export function read(text: string | null): Choice {
  try {
    const stored = JSON.parse(text ?? "null") as Partial<Record<keyof Choice, unknown>> | null;
    const word = (key: keyof Choice) => (typeof stored?.[key] === "string" ? (stored[key] as string) : FIRST[key]);
    const shell = word("shell");
    return { shell: SHELLS.includes(shell) ? shell : FIRST.shell, other: word("other"), user: word("user") };
  } catch {
    return FIRST;
  }
}
