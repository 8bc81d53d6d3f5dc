/** Actions as the page offers them: ask where something may be lost, act, tell how it went. */

import { SvelteSet } from "svelte/reactivity";
import { ACTIONS, perform, possible, type ActionName } from "./actions";
import { reason } from "./api";
import { confirm, type Answer } from "./confirm.svelte";
import { plural } from "./format";
import { alive, type Container } from "./protocol";
import { toasts } from "./toasts.svelte";

/** Containers that an action is under way for. */
export const busy = new SvelteSet<string>();

/** True when it was done to all of them. Those whose state does not allow it are left alone. */
export async function operate(action: ActionName, chosen: Container[]): Promise<boolean> {
  const containers = chosen.filter((container) => possible(action, container) && !busy.has(container.id));
  if (containers.length === 0) return false;
  const answer = await ask(action, containers);
  if (!answer) return false;
  const results = await Promise.all(containers.map((container) => attempt(action, container, answer.option)));
  const done = containers.filter((_, index) => results[index]);
  const [first] = done;
  if (first) {
    const what = done.length === 1 ? first.name : plural(done.length, "container");
    toasts.success(`${ACTIONS[action].done} ${what}`);
  }
  return done.length === containers.length;
}

async function attempt(action: ActionName, container: Container, volumes: boolean): Promise<boolean> {
  busy.add(container.id);
  try {
    await perform(action, container, { volumes });
    return true;
  } catch (error) {
    toasts.error(`Could not ${ACTIONS[action].label.toLowerCase()} ${container.name}`, reason(error));
    return false;
  } finally {
    busy.delete(container.id);
  }
}

function ask(action: ActionName, containers: Container[]): Promise<Answer> {
  const { warning, label, danger } = ACTIONS[action];
  if (!warning) return Promise.resolve({ option: false });
  const [first] = containers;
  const what = containers.length === 1 && first ? first.name : plural(containers.length, "container");
  const running = action === "remove" && containers.some(alive);
  const text = containers.length === 1 ? warning : warning.replace(/^Its/, "Their").replace("its log", "their logs");
  return confirm.ask({
    title: `${label} ${what}?`,
    text: running
      ? `${containers.length === 1 ? "It is running and" : "Those that run"} will be killed. ${text}`
      : text,
    label,
    danger: danger ?? false,
    ...(action === "remove" && {
      option: { label: `Remove ${containers.length === 1 ? "its" : "their"} anonymous volumes too`, checked: false },
    }),
  });
}
