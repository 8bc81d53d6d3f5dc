/**
 * Scrolling through more than an element can be high: browsers clamp elements at 17 to 33 million pixels. The element gets
 * a height they all allow. Small movements of the bar are pixels of the content; the bar itself is put back in
 * proportion now and then; a large movement, as of a dragged thumb, counts in proportion at once.
 */

/** Safe in every browser, also when the page is zoomed. */
export const MAX_HEIGHT = 8_000_000;
/** How far the bar may be from its proportional place, in pixels. */
const SLACK = 20_000;

export class TallScroll {
  /** Of the content, in pixels from its top. */
  position = 0;
  /** Of the bar: what the element's scrollTop has to be. */
  bar = 0;
  private total = 0;
  private view = 0;

  constructor(readonly limit = MAX_HEIGHT) {}

  /** Height of the element. */
  get height(): number {
    return Math.min(this.total, this.limit);
  }

  /** What is to be added to a position of the bar for one of the content. */
  get offset(): number {
    return this.position - this.bar;
  }

  /** `total`: height of the content; `view`: of what is seen of it. */
  measure(total: number, view: number): void {
    this.total = total;
    this.view = view;
  }

  /** Show the content from `position` on. */
  go(position: number): void {
    this.position = Math.max(0, Math.min(position, this.end));
    this.bar = this.barAt(this.position);
  }

  /** The user has moved the bar. */
  moved(bar: number): void {
    const step = bar - this.bar;
    if (this.total <= this.limit) {
      this.position = this.bar = bar;
    } else if (Math.abs(step) > 2 * this.view) {
      this.position = this.contentAt(bar);
      this.bar = bar;
    } else {
      this.position = Math.max(0, Math.min(this.position + step, this.end));
      this.bar = bar;
      if (this.isAstray()) this.go(this.position);
    }
  }

  private get end(): number {
    return Math.max(0, this.total - this.view);
  }

  private get barEnd(): number {
    return Math.max(0, this.height - this.view);
  }

  /** Near both ends the bar moves as the content does, so that the very first and last pixel are reached. */
  private get edge(): number {
    return Math.min(2 * this.view, this.barEnd / 4);
  }

  /** Content pixels for each of the bar's, between the edges. */
  private get scale(): number {
    return Math.max(1, (this.end - 2 * this.edge) / Math.max(1, this.barEnd - 2 * this.edge));
  }

  /** The bar's proportional place. */
  private barAt(position: number): number {
    if (position <= this.edge) return position;
    if (this.end - position <= this.edge) return this.barEnd - (this.end - position);
    return Math.round(this.edge + (position - this.edge) / this.scale);
  }

  private contentAt(bar: number): number {
    if (bar <= this.edge) return bar;
    if (this.barEnd - bar <= this.edge) return this.end - (this.barEnd - bar);
    return this.edge + (bar - this.edge) * this.scale;
  }

  /** Too far from its place, or at an end at which the content is not. */
  private isAstray(): boolean {
    const barAtEdge = this.bar <= 0 || this.bar >= this.barEnd - 1;
    const contentAtEdge = this.position <= 0 || this.position >= this.end;
    return Math.abs(this.bar - this.barAt(this.position)) > SLACK || barAtEdge !== contentAtEdge;
  }
}
