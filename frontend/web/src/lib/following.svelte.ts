/** Which container a page shows while its own is renamed, removed, and made anew under the same name. */

import { get } from "./api";
import { fleet } from "./fleet.svelte";
import type { Container } from "./protocol";

interface Held {
  /** How the address calls it now. */
  reference: string;
  id: string;
  name: string;
  /** The name that the page was opened under: whoever takes it is shown next. Empty when an ID was asked for. */
  wanted: string;
}

export class Following {
  /** The container is another one than before, under the same name. */
  anew = $state(false);
  /** The list does not have it, and the engine has not answered yet. */
  asking = $state(false);
  private held = $state.raw<Held | null>(null);
  readonly container: Container | undefined = $derived.by(() => {
    const held = this.holding;
    if (!held) return fleet.find(this.reference());
    return (held.wanted ? fleet.named(held.wanted) : undefined) ?? fleet.containers.get(held.id);
  });
  /** Who has the name of a container that was opened by its ID and is gone. */
  readonly namesake: Container | undefined = $derived.by(() =>
    this.holding ? fleet.named(this.holding.name) : undefined,
  );

  /** `readdress` puts another name into the address. */
  constructor(
    private readonly reference: () => string,
    private readonly readdress: (name: string) => void,
  ) {
    $effect(() => this.hold(this.container));
    $effect(() => void this.ask(this.reference(), fleet.loaded && !this.container && !this.holding));
  }

  private get holding(): Held | null {
    return this.held?.reference === this.reference() ? this.held : null;
  }

  private hold(container: Container | undefined): void {
    if (!container) return;
    const { id, name } = container;
    const before = this.holding;
    if (!before) this.anew = false;
    else if (before.id !== id) this.anew = true;
    const wanted = before?.wanted ?? (name === this.reference() ? name : "");
    const reference = wanted ? name : this.reference();
    if (before?.id === id && before.name === name) return;
    this.held = { reference, id, name, wanted };
    if (reference !== this.reference()) this.readdress(reference);
  }

  /** A container that was made a moment ago is known to the engine before the list tells of it. */
  private async ask(reference: string, unknown: boolean): Promise<void> {
    this.asking = unknown;
    if (!unknown) return;
    try {
      await get(`/containers/${encodeURIComponent(reference)}/json`);
    } catch {
      if (reference === this.reference()) this.asking = false;
    }
  }
}
