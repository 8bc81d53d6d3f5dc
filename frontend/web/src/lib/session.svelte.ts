/** Who is signed in, and the connection that shows it. */

import { ApiError, get, post, reason, remove, useCsrf, whenSignedOut } from "./api";
import { PanelSocket, type ConnectionState } from "./socket";
import { toasts } from "./toasts.svelte";

export interface User {
  name: string;
  is_admin: boolean;
}

interface Whoami {
  user: User | null;
  csrf: string;
  version: string;
  node: string;
}

class Session {
  /** undefined until the server has answered. */
  user = $state<User | null | undefined>(undefined);
  version = $state("");
  node = $state("");
  connection = $state<ConnectionState>("connecting");
  /** The server was updated under this page. */
  stale = $state(false);
  failure = $state("");
  readonly socket = new PanelSocket(
    () => new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/panel/socket`),
    (state) => this.changed(state),
    (welcome) => {
      this.stale = welcome.version !== this.version;
      this.user = { name: welcome.user, is_admin: welcome.is_admin };
    },
  );

  constructor() {
    whenSignedOut(() => this.ended());
  }

  async load(): Promise<void> {
    try {
      this.failure = "";
      this.take(await get<Whoami>("/panel/session"));
    } catch (error) {
      this.failure = reason(error);
    }
  }

  async signIn(username: string, password: string): Promise<void> {
    this.take(await post<Whoami>("/panel/session", { username, password }));
  }

  /** The page shows nobody only when the server knows nobody: the cookie is good for as long as the session is. */
  async signOut(): Promise<void> {
    try {
      this.take(await remove<Whoami>("/panel/session"));
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 401)) {
        toasts.error("Could not sign out", reason(error));
        return;
      }
    }
    this.ended();
  }

  async changePassword(current: string, next: string): Promise<void> {
    this.take(await post<Whoami>("/panel/password", { current, new: next }));
  }

  private take(answer: Whoami): void {
    useCsrf(answer.csrf);
    this.version = answer.version;
    this.node = answer.node;
    this.user = answer.user;
    if (answer.user) this.socket.start();
  }

  private ended(): void {
    this.socket.stop();
    this.user = null;
  }

  private changed(state: ConnectionState): void {
    this.connection = state;
    if (state === "signed-out") {
      this.ended();
      void this.load();
    } else if (state === "offline") {
      // The refusal of a WebSocket tells no reason: ask whether the session has ended meanwhile.
      void this.verify();
    }
  }

  private async verify(): Promise<void> {
    try {
      const answer = await get<Whoami>("/panel/session");
      useCsrf(answer.csrf);
      if (!answer.user) this.ended();
    } catch {
      // Still away; the socket tries again by itself.
    }
  }
}

export const session = new Session();
