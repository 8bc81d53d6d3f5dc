/** What can be done to a container, and when. The words and paths are the Engine API's. */

import { post, remove } from "./api";
import type { Container, Status } from "./protocol";

export type ActionName = "start" | "stop" | "restart" | "pause" | "unpause" | "kill" | "remove";

export interface Action {
  name: ActionName;
  label: string;
  /** "Started web" */
  done: string;
  states: readonly Status[];
  /** Question to ask before, when something may be lost. */
  warning?: string;
  danger?: boolean;
}

export const ACTIONS: Record<ActionName, Action> = {
  start: { name: "start", label: "Start", done: "Started", states: ["created", "exited"] },
  stop: { name: "stop", label: "Stop", done: "Stopped", states: ["running", "paused", "restarting"] },
  restart: { name: "restart", label: "Restart", done: "Restarted", states: ["running", "exited"] },
  pause: { name: "pause", label: "Pause", done: "Paused", states: ["running"] },
  unpause: { name: "unpause", label: "Resume", done: "Resumed", states: ["paused"] },
  kill: {
    name: "kill",
    label: "Kill",
    done: "Killed",
    states: ["running", "paused"],
    warning: "Its processes end at once, without a chance to save anything.",
    danger: true,
  },
  remove: {
    name: "remove",
    label: "Remove",
    done: "Removed",
    states: ["created", "exited", "dead", "running", "paused", "restarting"],
    warning: "Its files outside of volumes are deleted, its log too.",
    danger: true,
  },
};

export function possible(action: ActionName, container: Container): boolean {
  return ACTIONS[action].states.includes(container.status);
}

export interface RemoveOptions {
  volumes: boolean;
}

/** Do it, and wait for the engine's answer. */
export async function perform(action: ActionName, container: Container, options?: RemoveOptions): Promise<void> {
  if (action === "remove") {
    const force = container.status === "exited" || container.status === "created" ? 0 : 1;
    await remove(`/containers/${container.id}?force=${force}&v=${options?.volumes ? 1 : 0}`);
  } else {
    await post(`/containers/${container.id}/${action}`);
  }
}
