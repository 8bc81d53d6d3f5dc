/** Questions that overlap: the answer to the newest one counts, whichever comes last. */

/** Asks, and hands on the answer or the failure, unless it was asked again meanwhile. */
export function latest<Words extends unknown[], Answer>(
  ask: (...words: Words) => Promise<Answer>,
  take: (answer: Answer) => void,
  fail: (error: unknown) => void,
): (...words: Words) => Promise<void> {
  let newest = 0;
  return async (...words) => {
    const mine = ++newest;
    try {
      const answer = await ask(...words);
      if (mine === newest) take(answer);
    } catch (error) {
      if (mine === newest) fail(error);
    }
  };
}
