/** The route that the address shows now. */

import { address, parse, type Route } from "./routes";

class Router {
  current = $state<Route>(parse(location.hash));

  constructor() {
    addEventListener("hashchange", () => (this.current = parse(location.hash)));
  }

  go(route: Route): void {
    location.hash = address(route);
  }

  /** The same page under another address: going back does not lead to the old one. */
  replace(route: Route): void {
    history.replaceState(history.state, "", address(route));
    this.current = route;
  }
}

export const router = new Router();
