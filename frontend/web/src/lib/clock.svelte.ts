/** The present, moved forward often enough for "3 minutes ago" to be true. */

const STEP_MILLISECONDS = 5000;

class Clock {
  now = $state(Date.now());

  constructor() {
    setInterval(() => (this.now = Date.now()), STEP_MILLISECONDS);
  }
}

export const clock = new Clock();
