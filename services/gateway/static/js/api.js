// Asks the gateway. Every failure becomes a Problem with a sentence for a person and the request id for the log.

export class Problem extends Error {
  constructor({ status = 0, code = "", title = "", detail = "", errors = [], instance = "", retryAfter = "", ...rest }) {
    super(detail || title || "The request failed.");
    Object.assign(this, { status, code, title, detail: detail || title, errors, instance, retryAfter, rest });
  }
  get isUnreachable() { return this.status === 0; }
  /** What it says, with the fields it names. */
  get inFull() { return this.errors?.length ? `${this.detail} ${this.errors.map((error) => `${error.field}: ${error.reason}`).join("; ")}` : this.detail; }
  /** By which the service's log finds it. */
  get request() { return this.instance.replace("urn:request:", ""); }
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

// The way back after a session that ended: where the person stood who sent what is not answered yet, else where they stand.
const unanswered = new Set(); // oldest first; the page may have moved on meanwhile
let standing = () => location.pathname + location.search;
let isLeaving = false;
addEventListener("pageshow", () => { isLeaving = false; }); // come back to by the browser's own Back

/** A page whose address follows the person a moment later says itself where they stand. */
export const standsAt = (tell) => { standing = tell; };

function signInAgain() {
  if (isLeaving) return; // the first answer says where from; those behind it came from where the page went since
  isLeaving = true;
  const [first] = unanswered;
  location.assign(`/sign-in?ended=1&next=${encodeURIComponent(first?.from ?? standing())}`);
}

async function call(method, path, { body, headers = {}, signal, keepSession = false, keepalive = false } = {}) {
  let response;
  const sent = { from: method === "GET" ? null : standing() };
  if (sent.from) unanswered.add(sent);
  try {
    response = await fetch(path, {
      method, signal, keepalive, credentials: "same-origin",
      headers: { Accept: "application/json", ...(body !== undefined && { "Content-Type": "application/json" }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    unanswered.delete(sent);
    if (error.name === "AbortError") throw error;
    throw new Problem(UNREACHABLE);
  }
  if (response.status === 401 && !keepSession) {
    signInAgain();
    return new Promise(() => {}); // the page is leaving: nobody needs an answer any more
  }
  unanswered.delete(sent);
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
