/** The containers of this node as they are now, with the last minutes of each one's usage. */

import { SvelteMap } from "svelte/reactivity";
import { alive, type Container, type Incoming, type Point } from "./protocol";
import { session } from "./session.svelte";
import type { Channel } from "./socket";

/** Enough for a small line in a table: two minutes at one point each two seconds. */
export const SPARK_POINTS = 60;

class Fleet {
  /** False until the first list has come. */
  loaded = $state(false);
  failure = $state("");
  readonly containers = new SvelteMap<string, Container>();
  readonly usage = new SvelteMap<string, Point[]>();
  /** Grows with each change of the images, so that their page fetches again. */
  imagesVersion = $state(0);
  /** What all containers use now: percent of one core, and bytes. */
  readonly total = $derived.by(() => {
    const newest = [...this.usage.values()].map((points) => points.at(-1));
    const sum = (field: 1 | 2) => newest.reduce((all, point) => all + (point?.[field] ?? 0), 0);
    return { cpu: sum(1), memory: sum(2) };
  });
  private channel: Channel | null = null;

  follow(): void {
    this.channel ??= session.socket.open(
      { topic: "containers" },
      {
        message: (message) => this.take(message),
        closed: ({ message }) => {
          this.channel = null;
          this.failure = message;
        },
      },
    );
  }

  leave(): void {
    this.channel?.close();
    this.channel = null;
    this.loaded = false;
    this.containers.clear();
    this.usage.clear();
  }

  named(name: string): Container | undefined {
    return [...this.containers.values()].find((container) => container.name === name);
  }

  /** By ID, name, or the beginning of an ID that no other shares: the engine's own order. */
  find(reference: string): Container | undefined {
    const exact = this.containers.get(reference) ?? this.named(reference);
    if (exact || !/^[0-9a-f]+$/.test(reference)) return exact;
    const beginning = [...this.containers.values()].filter(({ id }) => id.startsWith(reference));
    return beginning.length === 1 ? beginning[0] : undefined;
  }

  newest(id: string): Point | undefined {
    return this.usage.get(id)?.at(-1);
  }

  private take(message: Incoming): void {
    switch (message.type) {
      case "containers.all":
        this.replace(message.containers, message.history);
        break;
      case "containers.changed":
        this.change(message.containers, message.removed);
        break;
      case "containers.usage":
        this.measure(message.usage);
        break;
      case "images.changed":
        this.imagesVersion += 1;
        break;
    }
  }

  private replace(containers: Container[], history: Record<string, Point[]>): void {
    const present = new Set(containers.map(({ id }) => id));
    for (const id of [...this.containers.keys()]) if (!present.has(id)) this.forget(id);
    for (const container of containers) this.put(container);
    for (const [id, points] of Object.entries(history)) this.record(id, points);
    this.loaded = true;
    this.failure = "";
  }

  private change(containers: Container[], removed: string[]): void {
    for (const id of removed) this.forget(id);
    for (const container of containers) this.put(container);
  }

  /** What does not run uses nothing: the last measurement of it would not be true. */
  private put(container: Container): void {
    this.containers.set(container.id, container);
    if (!alive(container)) this.usage.delete(container.id);
  }

  private measure(usage: Record<string, Point>): void {
    for (const [id, point] of Object.entries(usage)) this.record(id, [...(this.usage.get(id) ?? []), point]);
  }

  /** A measurement may be older than the news that its container has stopped. */
  private record(id: string, points: Point[]): void {
    const container = this.containers.get(id);
    if (container && alive(container)) this.usage.set(id, points.slice(-SPARK_POINTS));
  }

  private forget(id: string): void {
    this.containers.delete(id);
    this.usage.delete(id);
  }
}

export const fleet = new Fleet();
