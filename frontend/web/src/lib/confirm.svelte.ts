/** One question at a time; the answer is a promise. */

export interface Question {
  title: string;
  text: string;
  /** The button that goes ahead. */
  label: string;
  danger?: boolean;
  /** A box to tick, and whether it is ticked at first. */
  option?: { label: string; checked: boolean };
}

export type Answer = { option: boolean } | null;

class Confirm {
  question = $state<Question | null>(null);
  private answer: ((answer: Answer) => void) | null = null;

  /** Null when the user changed their mind. */
  ask(question: Question): Promise<Answer> {
    this.settle(null);
    this.question = question;
    return new Promise((resolve) => (this.answer = resolve));
  }

  settle(answer: Answer): void {
    this.answer?.(answer);
    this.answer = null;
    this.question = null;
  }
}

export const confirm = new Confirm();
