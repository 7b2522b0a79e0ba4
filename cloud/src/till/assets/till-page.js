// What the till's modules share: the page, its texts, and the state that outlives a reload.

export const till = document.querySelector("[data-till]");
export const find = (name) => till.querySelector(`[data-${name}]`);
export const text = till ? till.dataset : {};
/** Fingers, no keyboard: nothing may call up the soft one over the pad and the goods. */
export const isTouch = matchMedia("(pointer: coarse)").matches;
export const ANSWER_TIMEOUT_MS = 15_000;

/** What may be sold, by id. */
export const products = new Map();
/** `pending` is a sale that is not settled; `isAsked` says that it went out at least once. */
export const state = { lines: [], pending: null, isAsked: false };

const STORE = till ? `fournil.till.${till.dataset.session}` : "";

export function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(STORE));
    if (kept && Array.isArray(kept.lines)) Object.assign(state, kept);
  } catch {
    // A store that cannot be read is an empty cart.
  }
  state.lines = state.lines.filter((line) => products.has(line.id));
  // The page may have gone while its request was under way.
  state.isAsked = Boolean(state.pending);
}

export function keep() {
  try {
    localStorage.setItem(STORE, JSON.stringify(state));
  } catch {
    // Private windows may refuse; the cart then lives as long as the page.
  }
}

/** A text of the page with its one blank filled. */
export const fill = (words, value) => words.replace("%", value);

export function say(message) {
  const box = find("message");
  // An alert is read aloud when it is written: not for the same words again.
  if (box.textContent !== message) box.textContent = message;
  box.hidden = !message;
}

/** True when the cart may change; a sale without an answer must be settled first. */
export function mayChange() {
  if (!state.pending) return true;
  say(text.tPending);
  return false;
}

/** What the server says to a request, or nothing when it says nothing that can be read. */
export async function ask(method, path, body) {
  const headers = { accept: "application/json" };
  if (method !== "GET") headers["x-csrf-token"] = till.dataset.csrf;
  if (body) headers["content-type"] = "application/json";
  try {
    const response = await fetch(path, {
      method,
      headers,
      body: body && JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    return { status: response.status, isOk: response.ok, body: await response.json() };
  } catch {
    return null;
  }
}
