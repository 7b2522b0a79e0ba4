// The till's cart and cash. The server holds prices, stock and tickets; this page holds a
// cart, and a sale that has not been answered yet. Both outlive a reload.
//
// A sale carries an id made here. Until the server has said yes or no, the very same
// request is what "retry" sends, so it is counted once whatever the network does.
import { centimes, french, plainQuantity, thousandths, times } from "./till-money.js";

const till = document.querySelector("[data-till]");
const find = (name) => till.querySelector(`[data-${name}]`);
const text = till ? till.dataset : {};
const STORE = till ? `fournil.till.${till.dataset.session}` : "";
const ANSWER_TIMEOUT_MS = 15_000;
const PRINT_POLL_MS = 1_000;
const PRINT_POLLS_MAX = 120;
const STOCK_POLL_MS = 20_000;

const products = new Map();
let state = { lines: [], pending: null };
let isSending = false;
let printPoll = 0;

function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(STORE));
    if (kept && Array.isArray(kept.lines)) state = kept;
  } catch {
    // A store that cannot be read is an empty cart.
  }
  state.lines = state.lines.filter((line) => products.has(line.id));
}

function keep() {
  try {
    localStorage.setItem(STORE, JSON.stringify(state));
  } catch {
    // Private windows may refuse; the cart then lives as long as the page.
  }
}

/** UUIDv7: time first, so that tickets lie together in the database. */
function newId() {
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

function total() {
  return state.lines.reduce((sum, line) => sum + times(products.get(line.id).price, line.quantity), 0);
}

// --- Messages -------------------------------------------------------------------------

function say(message) {
  const box = find("message");
  box.textContent = message;
  box.hidden = !message;
}

function showPending(isPending) {
  find("retry").hidden = !isPending;
  find("pay").disabled = isPending || state.lines.length === 0;
  find("clear").disabled = isPending;
  till.classList.toggle("is-pending", isPending);
}

/** True when the cart may change; a sale without an answer must be settled first. */
function mayChange() {
  if (!state.pending) return true;
  say(text.tPending);
  return false;
}

// --- Cart -----------------------------------------------------------------------------

function add(id, quantity = 1000) {
  if (!mayChange()) return;
  say("");
  const line = state.lines.find((known) => known.id === id);
  if (line) line.quantity += quantity;
  else state.lines.push({ id, quantity });
  changed();
}

function setQuantity(id, quantity) {
  if (!mayChange()) return;
  const index = state.lines.findIndex((line) => line.id === id);
  if (index < 0) return;
  if (quantity <= 0) state.lines.splice(index, 1);
  else state.lines[index].quantity = quantity;
  changed();
}

function clear() {
  if (!mayChange()) return;
  state.lines = [];
  say("");
  changed();
}

function changed() {
  keep();
  drawCart();
}

function button(label, glyph, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "button button--quiet till__step";
  made.setAttribute("aria-label", label);
  made.textContent = glyph;
  made.addEventListener("click", act);
  return made;
}

function drawLine(line) {
  const product = products.get(line.id);
  const row = document.createElement("li");
  row.className = "till__line";
  row.dataset.line = line.id;
  const name = document.createElement("span");
  name.className = "till__line-name";
  name.textContent = product.name;
  const quantity = document.createElement("input");
  quantity.className = "num till__quantity";
  quantity.inputMode = "decimal";
  quantity.value = plainQuantity(line.quantity).replace(".", ",");
  quantity.setAttribute("aria-label", `${text.tQuantity}, ${product.name} (${product.unit})`);
  quantity.addEventListener("focus", () => quantity.select());
  quantity.addEventListener("change", () => {
    const typed = thousandths(quantity.value);
    const isWhole = typed !== null && typed % 1000 === 0;
    if (typed === null || (product.isCounted && !isWhole)) drawCart();
    else setQuantity(line.id, typed);
  });
  const step = product.isCounted ? 1000 : 100;
  const sum = document.createElement("span");
  sum.className = "num till__line-sum";
  sum.textContent = french(times(product.price, line.quantity));
  row.append(
    name,
    sum,
    button(`${text.tLess}, ${product.name}`, "−", () => setQuantity(line.id, line.quantity - step)),
    quantity,
    button(`${text.tMore}, ${product.name}`, "+", () => setQuantity(line.id, line.quantity + step)),
    button(`${text.tRemove}, ${product.name}`, "×", () => setQuantity(line.id, 0)),
  );
  return row;
}

function drawCart() {
  find("lines").replaceChildren(...state.lines.map(drawLine));
  find("empty").hidden = state.lines.length > 0;
  find("total").textContent = french(total());
  showPending(Boolean(state.pending));
  find("lines").lastElementChild?.scrollIntoView({ block: "nearest" });
}

// --- Search ---------------------------------------------------------------------------

const plain = (word) => word.normalize("NFD").replace(/\p{Diacritic}/gu, "").toLowerCase();

function filter() {
  const { quantity, word } = typedSearch();
  const category = till.querySelector("[data-category].is-current").dataset.category;
  let shown = 0;
  for (const product of products.values()) {
    const isHit = !word || product.search.includes(word);
    // A search looks in every category.
    const isHere = word || !category || product.category === category;
    product.element.hidden = !(isHit && isHere);
    shown += product.element.hidden ? 0 : 1;
  }
  find("no-match").hidden = shown > 0;
  return { quantity, word };
}

/** `3*pain` is three of them. */
function typedSearch() {
  const typed = find("search").value.trim();
  const many = typed.match(/^([\d.,]+)\s*[*x×]\s*(.*)$/i);
  const quantity = many ? thousandths(many[1]) : 1000;
  return { quantity: quantity || 1000, word: plain(many ? many[2] : typed) };
}

function addFound() {
  const { quantity, word } = filter();
  if (!word) {
    if (state.lines.length > 0) openPay();
    return;
  }
  const all = [...products.values()];
  const found =
    all.find((product) => product.sku === word) ?? all.find((product) => !product.element.hidden);
  if (!found) return;
  add(found.id, quantity);
  find("search").value = "";
  filter();
}

function chooseCategory(tab) {
  for (const other of till.querySelectorAll("[data-category]")) {
    other.classList.toggle("is-current", other === tab);
    other.setAttribute("aria-pressed", String(other === tab));
  }
  find("search").value = "";
  filter();
}

// --- Payment --------------------------------------------------------------------------

function openPay() {
  if (state.lines.length === 0 || !mayChange() || isSending) return;
  find("due").textContent = french(total());
  find("received").value = "";
  drawChange();
  find("pay-dialog").showModal();
  find("received").focus();
}

/** Nothing typed means the exact sum. */
function received() {
  const typed = find("received").value.trim();
  return typed === "" ? total() : centimes(typed);
}

function drawChange() {
  const given = received();
  const rest = given === null ? -1 : given - total();
  find("change-label").textContent = rest < 0 ? text.tMissing : text.tChange;
  find("change").textContent = given === null ? "?" : french(Math.abs(rest));
  find("validate").disabled = rest < 0 || isSending;
}

function typeDigit(digit) {
  const input = find("received");
  input.value = digit === "⌫" ? input.value.slice(0, -1) : input.value + digit;
  drawChange();
}

function chooseAmount(amount) {
  const sum = amount === "exact" ? total() : Number(amount) * 100;
  find("received").value = french(sum);
  drawChange();
  find("validate").focus();
}

function validate() {
  const given = received();
  if (isSending || state.pending || given === null || given < total()) return;
  state.pending = {
    ticket_id: newId(),
    session_id: till.dataset.session,
    lines: state.lines.map((line) => ({
      product_id: line.id,
      quantity: plainQuantity(line.quantity),
      price: products.get(line.id).shown,
    })),
    received: (given / 100).toFixed(2),
  };
  keep();
  send();
}

async function send() {
  if (isSending || !state.pending) return;
  isSending = true;
  say("");
  find("validate").disabled = true;
  find("validate").textContent = text.tSelling;
  find("retry").disabled = true;
  const answer = await ask(state.pending);
  isSending = false;
  find("validate").textContent = text.tValidate;
  find("retry").disabled = false;
  find("pay-dialog").close();
  if (answer.sold) {
    state = { lines: [], pending: null };
    showSold(answer.sold);
  } else if (answer.refusal) {
    // A clear no: nothing was written, the cart may change again.
    state.pending = null;
    say(answer.refusal);
  } else {
    say(text.tOffline);
  }
  changed();
  if (!answer.sold) find("message").scrollIntoView({ block: "nearest" });
}

/** `sold`, `refusal`, or neither when nobody knows. */
async function ask(sale) {
  try {
    const response = await fetch("/till/sell", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        accept: "application/json",
        "x-csrf-token": till.dataset.csrf,
      },
      body: JSON.stringify(sale),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    const isUnclear = response.status >= 500 || response.status === 429 || response.status === 408;
    if (isUnclear) return {};
    const body = await response.json();
    if (response.ok) return { sold: body };
    return { refusal: body?.error?.message ?? `${response.status}` };
  } catch {
    return {};
  }
}

// --- After the sale -------------------------------------------------------------------

function showSold(sold) {
  find("ticket-number").textContent = sold.code;
  find("sold-total").textContent = sold.shown_total;
  find("sold-received").textContent = sold.shown_received;
  find("sold-change").textContent = sold.shown_change;
  const link = till.querySelector("[data-ticket-link]");
  if (link) link.href = `/tickets/${sold.ticket_id}`;
  drawPrint({ state: "", label: "…" });
  find("sold-dialog").showModal();
  find("next").focus();
  printPoll += 1;
  followPrint(sold.ticket_id, printPoll);
  refreshStock();
}

function drawPrint(print) {
  const badge = find("print-state");
  const looks = { printed: "ok", waiting: "warn", failed: "bad", unknown: "unknown" };
  badge.className = `badge badge--${looks[print.state] ?? "idle"}`;
  badge.dataset.printState = print.state;
  badge.title = print.remedy ?? "";
  badge.textContent = print.label;
}

/** Asks until the paper is settled, the next sale begins, or two minutes have passed. */
async function followPrint(ticket, poll) {
  for (let asked = 0; asked < PRINT_POLLS_MAX && poll === printPoll; asked += 1) {
    try {
      const response = await fetch(`/till/tickets/${ticket}/print`, {
        headers: { accept: "application/json" },
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      });
      if (response.ok && poll === printPoll) {
        const print = await response.json();
        drawPrint(print);
        if (!print.is_moving) return;
      }
    } catch {
      // The state is advice; the next poll asks again.
    }
    await new Promise((done) => setTimeout(done, PRINT_POLL_MS));
  }
}

async function refreshStock() {
  try {
    const response = await fetch(`/till/stock/${till.dataset.till}`, {
      headers: { accept: "application/json" },
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    });
    if (!response.ok) return;
    for (const row of await response.json()) {
      const product = products.get(row.product_id);
      if (!product) continue;
      product.element.classList.toggle("is-out", Number(row.available) <= 0);
      product.stock.textContent = text.tAvailable.replace("%", row.shown);
    }
  } catch {
    // Badges are advice; the server refuses what is not there.
  }
}

// --- Start ----------------------------------------------------------------------------

function gather() {
  for (const element of till.querySelectorAll("[data-product]")) {
    const { product: id, name, price, unit, sku, ofCategory, counted } = element.dataset;
    products.set(id, {
      id,
      element,
      name,
      unit,
      shown: price,
      price: centimes(price),
      sku: plain(sku),
      category: ofCategory,
      isCounted: counted === "true",
      search: `${plain(name)} ${plain(sku)}`,
      stock: element.querySelector("[data-stock]"),
    });
    element.addEventListener("click", () => add(id));
  }
}

function onKey(event) {
  const isPaying = find("pay-dialog").open;
  const isDone = find("sold-dialog").open;
  const acts = { F2: () => find("search").focus(), F4: clear, F9: isPaying ? validate : openPay };
  if (isDone || (isPaying && event.key !== "F9")) return;
  if (acts[event.key]) {
    event.preventDefault();
    acts[event.key]();
    return;
  }
  if (event.key === "Escape") {
    find("search").value = "";
    filter();
    return;
  }
  const isTyping = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey;
  if (isTyping && !event.target.matches("input, select, textarea")) find("search").focus();
}

function listen() {
  document.addEventListener("keydown", onKey);
  find("search").addEventListener("input", filter);
  find("search").addEventListener("keydown", (event) => {
    if (event.key === "Enter") addFound();
  });
  for (const tab of till.querySelectorAll("[data-category]")) {
    tab.addEventListener("click", () => chooseCategory(tab));
  }
  find("clear").addEventListener("click", clear);
  find("pay").addEventListener("click", openPay);
  find("retry").addEventListener("click", send);
  find("received").addEventListener("input", drawChange);
  find("cancel").addEventListener("click", () => find("pay-dialog").close());
  find("pay-form").addEventListener("submit", (event) => {
    event.preventDefault();
    validate();
  });
  for (const pad of till.querySelectorAll("[data-digit]")) {
    pad.addEventListener("click", () => typeDigit(pad.dataset.digit));
  }
  for (const quick of till.querySelectorAll("[data-amount]")) {
    quick.addEventListener("click", () => chooseAmount(quick.dataset.amount));
  }
  find("next").addEventListener("click", () => find("sold-dialog").close());
  find("sold-dialog").addEventListener("close", () => {
    printPoll += 1;
    // The dialog may have put the focus back already, and Chromium then has an active
    // element without a caret: focus it anew.
    find("search").blur();
    find("search").focus();
  });
  globalThis.addEventListener("online", send);
  setInterval(refreshStock, STOCK_POLL_MS);
}

if (till) {
  gather();
  load();
  listen();
  drawCart();
  if (state.pending) send();
  find("search").focus({ preventScroll: true });
}
