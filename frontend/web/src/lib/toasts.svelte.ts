/** Short notes in the corner: what was done, and what failed. Failures stay until they are dismissed. */

export interface Toast {
  id: number;
  kind: "success" | "error";
  text: string;
  detail: string;
}

const SHOWN_MILLISECONDS = 4000;
const MAX_TOASTS = 5;

class Toasts {
  list = $state<Toast[]>([]);
  private next = 1;

  success(text: string): void {
    const id = this.add("success", text, "");
    setTimeout(() => this.dismiss(id), SHOWN_MILLISECONDS);
  }

  error(text: string, detail = ""): void {
    this.add("error", text, detail);
  }

  dismiss(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }

  private add(kind: Toast["kind"], text: string, detail: string): number {
    const id = this.next++;
    this.list = [...this.list, { id, kind, text, detail }].slice(-MAX_TOASTS);
    return id;
  }
}

export const toasts = new Toasts();
