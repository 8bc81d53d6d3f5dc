/** What the inspect tree needs to know about a JSON value. */

export type Kind = "object" | "array" | "string" | "number" | "boolean" | "null";

export function kind(value: unknown): Kind {
  if (value === null || value === undefined) return "null";
  if (Array.isArray(value)) return "array";
  const type = typeof value;
  return type === "object" || type === "string" || type === "number" || type === "boolean" ? type : "null";
}

export function entries(value: unknown): [string, unknown][] {
  return value !== null && typeof value === "object" ? Object.entries(value) : [];
}

/** Whether the name, the value or anything inside contains the (lower case) query. */
export function contains(name: string, value: unknown, query: string): boolean {
  if (!query || name.toLowerCase().includes(query)) return true;
  const inside = entries(value);
  if (inside.length > 0) return inside.some(([key, each]) => contains(key, each, query));
  return String(value).toLowerCase().includes(query);
}
