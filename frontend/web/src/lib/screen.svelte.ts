/** Whether the page is shown on something phone-sized, where tables become cards. */

import { MediaQuery } from "svelte/reactivity";

class Narrow {
  private readonly query = new MediaQuery("(max-width: 760px)");

  get matches(): boolean {
    return this.query.current;
  }
}

export const narrow = new Narrow();
