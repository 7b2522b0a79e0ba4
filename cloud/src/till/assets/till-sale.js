// A sale on its way to the server, until it is settled.
//
// A sale carries an id made here. Once it was sent and the answer did not come, nobody
// knows whether it was counted: only the ticket itself, or a refusal by the till's own
// rules, settles it. Any other answer (signed out, contention, a form too old) speaks of
// the repetition and not of the first request, so the very same request is kept.
import { changed, drawCart, forgetCleared, setAvailable } from "./till-cart.js";
import { fill, find, isTouch, keep, products, say, state, text, till, ask } from "./till-page.js";

const PRINT_POLL_MS = 1_000;
const PRINT_POLLS_MAX = 120;
const UNPRINTED_POLL_MS = 5_000;

let isUnderWay = false;
let printPoll = 0;
let soon = 0;

export const isSending = () => isUnderWay;

/** UUIDv7: time first, so that tickets lie together in the database. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  let ms = Date.now();
  for (let i = 5; i >= 0; i -= 1) {
    bytes[i] = ms % 256;
    ms = Math.floor(ms / 256);
  }
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function setUnderWay(isIt) {
  isUnderWay = isIt;
  find("validate-label").textContent = isIt ? text.tSelling : text.tValidate;
  for (const name of ["validate", "retry", "abandon"]) find(name).disabled = isIt;
}

export async function send() {
  if (isUnderWay || !state.pending) return;
  const wasAsked = state.isAsked;
  state.isAsked = true;
  keep();
  say("");
  setUnderWay(true);
  const answer = await ask("POST", "/till/sell", state.pending);
  setUnderWay(false);
  find("pay-dialog").close();
  if (answer?.isOk) return settle(answer.body);
  const fault = refusal(answer);
  if (fault && (!wasAsked || fault.code.startsWith("till-"))) {
    // A clear no: nothing was written, the cart may change again.
    drop();
    say(fault.message);
  } else if (fault) {
    say(fill(text.tUnsure, fault.message));
  } else {
    say(answer ? fill(text.tFault, answer.status) : text.tOffline);
  }
  changed();
  goOn();
}

/** The button that was pressed may be gone: the focus goes to what comes next. */
function goOn() {
  if (state.pending) find("retry").focus();
  else if (!isTouch) find("search").focus();
}

/** What the server refused in so many words; a fault of its own is no refusal. */
function refusal(answer) {
  const isUnclear = !answer || answer.status >= 500 || [408, 429].includes(answer.status);
  const fault = isUnclear ? null : answer.body?.error;
  return fault?.code ? fault : null;
}

function drop() {
  state.pending = null;
  state.isAsked = false;
}

function settle(sold) {
  drop();
  state.lines = [];
  forgetCleared();
  say("");
  changed();
  showSold(sold);
}

/** Gives a sale up: the server first says that it has no ticket, and will make none. */
export async function abandon() {
  const dialog = find("abandon-dialog");
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((done) => dialog.addEventListener("close", done, { once: true }));
  if (dialog.returnValue !== "yes" || isUnderWay || !state.pending) return;
  setUnderWay(true);
  const answer = await ask("POST", `/till/tickets/${state.pending.ticket_id}/abandon`);
  setUnderWay(false);
  if (answer?.isOk && answer.body.sold) return settle(answer.body.sold);
  if (answer?.isOk) {
    drop();
    say(text.tAbandoned);
  } else {
    const fault = refusal(answer);
    say(fault ? fill(text.tUnsure, fault.message) : text.tAbandonFailed);
  }
  changed();
  goOn();
}

// --- After the sale -------------------------------------------------------------------

function showSold(sold) {
  find("ticket-number").textContent = sold.code;
  find("sold-total").textContent = sold.shown_total;
  find("sold-rounding").textContent = sold.shown_rounding ?? "";
  find("sold-rounding").parentElement.hidden = !sold.shown_rounding;
  find("sold-received").textContent = sold.shown_received;
  find("sold-change").textContent = sold.shown_change;
  const link = till.querySelector("[data-ticket-link]");
  if (link) link.href = `/tickets/${sold.ticket_id}`;
  drawPrint({ state: "", label: "…" });
  find("sold-dialog").showModal();
  find("next").focus();
  printPoll += 1;
  followPrint(sold.ticket_id, printPoll);
  refreshCounter();
}

export function leaveSold() {
  printPoll += 1;
  refreshCounter();
  if (isTouch) return;
  // The dialog may have put the focus back already, and Chromium then has an active
  // element without a caret: focus it anew.
  find("search").blur();
  find("search").focus();
}

function drawPrint(print) {
  const badge = find("print-state");
  const looks = { printed: "ok", waiting: "warn", failed: "bad", unknown: "unknown" };
  badge.className = `badge badge--${looks[print.state] ?? "idle"}`;
  badge.dataset.printState = print.state;
  if (badge.textContent !== print.label) badge.textContent = print.label;
  const remedy = find("print-remedy");
  if (remedy.textContent !== (print.remedy ?? "")) remedy.textContent = print.remedy ?? "";
  remedy.hidden = !print.remedy;
}

/** Asks until the paper is settled, the next sale begins, or two minutes have passed. */
async function followPrint(ticket, poll) {
  for (let asked = 0; asked < PRINT_POLLS_MAX && poll === printPoll; asked += 1) {
    // The state is advice; a poll that fails is asked again.
    const answer = await ask("GET", `/till/tickets/${ticket}/print`);
    if (answer?.isOk && poll === printPoll) {
      drawPrint(answer.body);
      if (!answer.body.is_moving) return refreshCounter();
    }
    await new Promise((done) => setTimeout(done, PRINT_POLL_MS));
  }
}

/** What lies on the counter, and how many receipts are not on paper. */
export async function refreshCounter() {
  const answer = await ask("GET", `/till/stock/${till.dataset.till}`);
  // Badges are advice; the server refuses what is not there.
  if (!answer?.isOk) return;
  for (const row of answer.body.goods) {
    const product = products.get(row.product_id);
    if (product) setAvailable(product, Math.round(Number(row.available) * 1000), row.shown);
  }
  const badge = find("unprinted");
  const words = answer.body.unprinted ?? "";
  if (badge.textContent !== words) badge.textContent = words;
  badge.hidden = !words;
  // The last receipt is on its way most of the time: look again before the next round.
  clearTimeout(soon);
  if (words) soon = setTimeout(refreshCounter, UNPRINTED_POLL_MS);
  drawCart();
}
