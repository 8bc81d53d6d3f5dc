/** Light, dark, or as the system says. The choice stays in this browser. */

export type Choice = "system" | "light" | "dark";

const KEY = "muelle.theme";
const system = matchMedia("(prefers-color-scheme: dark)");

function stored(): Choice {
  const value = localStorage.getItem(KEY);
  return value === "light" || value === "dark" ? value : "system";
}

class Theme {
  choice = $state<Choice>(stored());
  private systemDark = $state(system.matches);
  dark = $derived(this.choice === "system" ? this.systemDark : this.choice === "dark");

  constructor() {
    system.addEventListener("change", (event) => (this.systemDark = event.matches));
  }

  choose(choice: Choice): void {
    this.choice = choice;
    if (choice === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, choice);
  }
}

export const theme = new Theme();
