// Checks an inclusion proof of RFC 6962 in the browser, so that the page need not believe the server.

function bytesOf(text) {
  if (/^[0-9a-f]{64}$/i.test(text)) return Uint8Array.from(text.match(/../g), (pair) => Number.parseInt(pair, 16));
  return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
}

async function nodeHash(left, right) {
  const bytes = new Uint8Array(1 + left.length + right.length);
  bytes[0] = 1; // the node prefix of RFC 6962, so that a node can never pass for a leaf
  bytes.set(left, 1);
  bytes.set(right, 1 + left.length);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
}

/** RFC 8785: sorted names, no spaces. Entries hold text, whole numbers, booleans, lists and objects only. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
  return JSON.stringify(value);
}

/** The leaf of an entry, hashed here from what the entry says, as hex; null where the page cannot hash. */
export async function leafOf(entry) {
  if (!crypto.subtle) return null;
  const text = new TextEncoder().encode(canonical(entry));
  const bytes = new Uint8Array(1 + text.length); // the leaf prefix of RFC 6962 is the zero in front
  bytes.set(text, 1);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return [...hash].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const same = (a, b) => a.length === b.length && a.every((byte, index) => byte === b[index]);

/** RFC 9162, 2.1.3.2. True or false; null when a part is missing or the page is not on a secure origin. Hex or base64. */
export async function inclusionHolds({ index, size, leafHash, path, root }) {
  if (!crypto.subtle || !leafHash || !root || index === undefined || !size) return null;
  if (index >= size) return false;
  let [first, second] = [index, size - 1]; // the log is far below 2^53 entries, so numbers are exact
  let hash = bytesOf(leafHash);
  for (const step of path.map(bytesOf)) {
    if (second === 0) return false;
    if (first % 2 === 1 || first === second) {
      hash = await nodeHash(step, hash);
      while (first % 2 === 0 && first !== 0) { first = Math.floor(first / 2); second = Math.floor(second / 2); }
    } else {
      hash = await nodeHash(hash, step);
    }
    first = Math.floor(first / 2);
    second = Math.floor(second / 2);
  }
  return second === 0 && same(hash, bytesOf(root));
}
