/** Requests to the Engine API and to the panel's own addresses, with the session's CSRF header. */

let csrf = "";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** Called when the server says that nobody is signed in any more. */
let onSignedOut: () => void = () => undefined;

export function useCsrf(token: string): void {
  csrf = token;
}

export function whenSignedOut(callback: () => void): void {
  onSignedOut = callback;
}

type Method = "GET" | "POST" | "DELETE" | "PUT";

/** The JSON answer, or undefined when there is none. Throws ApiError with the server's own text. */
export async function request<T>(method: Method, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRFToken"] = csrf;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const init: RequestInit = { method, headers, credentials: "same-origin" };
  if (body !== undefined) init.body = JSON.stringify(body);
  const response = await reach(path, init);
  const text = await response.text();
  if (!response.ok) throw failure(response, text);
  return (text ? JSON.parse(text) : undefined) as T;
}

export const get = <T>(path: string): Promise<T> => request<T>("GET", path);
export const post = <T>(path: string, body?: unknown): Promise<T> => request<T>("POST", path, body);
export const remove = <T>(path: string): Promise<T> => request<T>("DELETE", path);

async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, init);
  } catch {
    throw new ApiError(0, "The server does not answer. Is Muelle running?");
  }
}

function failure(response: Response, text: string): ApiError {
  if (response.status === 401 && !response.url.endsWith("/panel/session")) onSignedOut();
  try {
    const parsed = JSON.parse(text) as { message?: string };
    if (parsed.message) return new ApiError(response.status, parsed.message);
  } catch {
    // Not JSON: something between us and the server answered.
  }
  return new ApiError(response.status, `${response.status} ${response.statusText}`);
}

export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
