/** The part of a list that the window shows, for a list that scrolls with the page. */

import { rowAt, windowed, type Window } from "./windowing";

/** What is drawn above and below the window, in pixels: a turn of a wheel. */
const AROUND = 480;
/** The edges move in steps of so many rows, so that not every pixel of scrolling changes the document. */
const STEP = 4;

export class Visible {
  private top = $state(0);
  private height = $state(0);
  /** Key of the row that has the focus. */
  private focused = $state("");
  private readonly first = $derived.by(() => this.edge(-this.top - AROUND, 0));
  private readonly last = $derived.by(() => this.edge(this.height - this.top + AROUND, STEP - 1));
  readonly window: Window = $derived.by(() => {
    const tops = this.tops();
    const kept = this.focused ? this.indexOf(this.focused) : -1;
    return windowed(tops, tops[this.first] ?? 0, tops[this.last] ?? 0, kept);
  });

  constructor(
    private readonly tops: () => Uint32Array,
    private readonly indexOf: (key: string) => number,
  ) {}

  /** Attach to the element that the rows begin at; rows carry their key as `data-key`. */
  readonly watch = (list: HTMLElement): (() => void) => {
    const look = () => {
      this.top = list.getBoundingClientRect().top;
      this.height = innerHeight;
    };
    const focus = (event: FocusEvent) => {
      const row = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-key]") : null;
      this.focused = row?.dataset.key ?? "";
    };
    look();
    addEventListener("scroll", look, { passive: true });
    addEventListener("resize", look);
    list.addEventListener("focusin", focus);
    return () => {
      removeEventListener("scroll", look);
      removeEventListener("resize", look);
      list.removeEventListener("focusin", focus);
    };
  };

  private edge(position: number, extra: number): number {
    const tops = this.tops();
    const row = rowAt(tops, Math.max(0, position));
    return Math.min(row - (row % STEP) + extra, Math.max(0, tops.length - 2));
  }
}
