// Asks the gateway. Every failure becomes a Problem with a sentence for a person and the request id for the log.

export class Problem extends Error {
  constructor({ status = 0, code = "", title = "", detail = "", errors = [], instance = "", retryAfter = "", ...rest }) {
    super(detail || title || "The request failed.");
    Object.assign(this, { status, code, title, detail: detail || title, errors, instance, retryAfter, rest });
  }
  get isUnreachable() { return this.status === 0; }
}

const UNREACHABLE = {
  status: 0, code: "unreachable", title: "The gateway does not answer",
  detail: "The gateway could not be reached, so nothing was read or changed. Check the connection, then try again; your place in the list is kept.",
};

async function problemOf(response) {
  const fallback = { status: response.status, title: `The gateway answered ${response.status}`, detail: `The gateway answered ${response.status} and gave no reason. Try again; if it stays, give the request id to whoever runs Countersign.` };
  const instance = response.headers.get("X-Request-Id") ?? "";
  const retryAfter = response.headers.get("Retry-After") ?? "";
  try {
    return new Problem({ ...fallback, instance, retryAfter, ...(await response.json()), status: response.status });
  } catch {
    return new Problem({ ...fallback, instance, retryAfter });
  }
}

let sentFrom = null; // where the person stood who sent what is not answered yet; the page may have moved on meanwhile

async function call(method, path, { body, headers = {}, signal, keepSession = false } = {}) {
  let response;
  const here = location.pathname + location.search;
  if (method !== "GET") sentFrom = here;
  try {
    response = await fetch(path, {
      method, signal, credentials: "same-origin",
      headers: { Accept: "application/json", ...(body !== undefined && { "Content-Type": "application/json" }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(UNREACHABLE);
  }
  if (response.status === 401 && !keepSession) {
    location.assign(`/sign-in?ended=1&next=${encodeURIComponent(sentFrom ?? location.pathname + location.search)}`);
    return new Promise(() => {}); // the page is leaving: nobody needs an answer any more
  }
  if (method !== "GET") sentFrom = null;
  if (!response.ok) throw await problemOf(response);
  return response.status === 204 ? null : response.json();
}

export const get = (path, options) => call("GET", path, options);
export const post = (path, body, options) => call("POST", path, { ...options, body });
export const put = (path, body, options) => call("PUT", path, { ...options, body });
export const remove = (path, options) => call("DELETE", path, options);

/** A path with a query; empty values are left out, arrays repeat. */
export function withQuery(path, values) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== null && one !== undefined && one !== "") query.append(name, one);
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/** A new key for one intent; the same intent tried again keeps its key, so that it happens once. */
export function intentKey() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // plain http outside localhost has no randomUUID
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

let session;
/** Who is signed in and what they can do; asked once per page. */
export function whoAmI() {
  session ??= get("/v1/session");
  return session;
}
