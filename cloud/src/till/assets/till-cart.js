// The cart: its lines and how they are drawn. A row lives as long as its line, so that
// neither the focus nor a click under way is lost when another thing changes.
import { centimes, french, plainQuantity, shownQuantity, thousandths, times } from "./till-money.js";
import { fill, find, isTouch, keep, mayChange, products, say, state, text, till } from "./till-page.js";

/** What was in the cart before it was emptied, to bring it back. */
let cleared = [];

export function total() {
  return state.lines.reduce((sum, line) => sum + times(products.get(line.id).price, line.quantity), 0);
}

export function isPossible(product, quantity) {
  return quantity !== null && quantity > 0 && (!product.isCounted || quantity % 1000 === 0);
}

/** Says in words why a quantity cannot be. */
export function refuse(product) {
  say(fill(product.isCounted ? text.tWholeOnly : text.tQuantityBad, product.name));
}

export function add(id, quantity = 1000) {
  if (!mayChange()) return;
  forgetCleared();
  say("");
  const line = state.lines.find((known) => known.id === id);
  if (line) line.quantity += quantity;
  else state.lines.push({ id, quantity });
  changed();
  reveal(id);
}

function setQuantity(id, quantity) {
  if (!mayChange()) return;
  say("");
  const index = state.lines.findIndex((line) => line.id === id);
  if (index < 0) return;
  if (quantity <= 0) state.lines.splice(index, 1);
  else state.lines[index].quantity = quantity;
  changed();
}

export function clear() {
  if (state.lines.length === 0 || !mayChange()) return;
  cleared = state.lines;
  state.lines = [];
  say("");
  changed();
  find("cleared").hidden = false;
}

export function undoClear() {
  if (!mayChange()) return;
  state.lines = cleared.filter((line) => products.has(line.id));
  forgetCleared();
  changed();
}

export function forgetCleared() {
  cleared = [];
  find("cleared").hidden = true;
}

export function changed() {
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

function span(name) {
  const made = document.createElement("span");
  made.className = name;
  return made;
}

function newRow(id) {
  const product = products.get(id);
  const row = document.createElement("li");
  row.className = "till__line";
  row.dataset.line = id;
  const name = span("till__line-name");
  name.textContent = product.name;
  const input = document.createElement("input");
  input.className = "num till__quantity";
  input.inputMode = "decimal";
  input.setAttribute("aria-label", `${text.tQuantity}, ${product.name} (${product.unit})`);
  input.addEventListener("focus", () => input.select());
  input.addEventListener("change", () => takeTyped(id, input));
  const step = (way) => () => {
    const line = state.lines.find((known) => known.id === id);
    if (line) setQuantity(id, line.quantity + way * (product.isCounted ? 1000 : 100));
  };
  row.append(
    name,
    span("num till__line-sum"),
    button(`${text.tLess}, ${product.name}`, "−", step(-1)),
    input,
    button(`${text.tMore}, ${product.name}`, "+", step(1)),
    button(`${text.tRemove}, ${product.name}`, "×", () => setQuantity(id, 0)),
    span("till__line-short"),
  );
  return row;
}

function takeTyped(id, input) {
  const product = products.get(id);
  const typed = thousandths(input.value);
  if (typed === 0 || isPossible(product, typed)) setQuantity(id, typed);
  else refuse(product);
  input.value = shownQuantity(state.lines.find((line) => line.id === id)?.quantity ?? 0);
}

function fillRow(row, line) {
  const product = products.get(line.id);
  const put = (name, words) => {
    const place = row.querySelector(name);
    if (place.textContent !== words) place.textContent = words;
  };
  put(".till__line-sum", french(times(product.price, line.quantity)));
  const isShort = line.quantity > product.available;
  row.classList.toggle("is-short", isShort);
  put(".till__line-short", isShort ? fill(text.tShort, product.shownAvailable) : "");
  // Only a change of the line itself: somebody may be typing into the box just now.
  if (row.dataset.quantity === String(line.quantity)) return;
  row.dataset.quantity = line.quantity;
  row.querySelector("input").value = shownQuantity(line.quantity);
}

export function drawCart() {
  const list = find("lines");
  const gone = new Map([...list.children].map((row) => [row.dataset.line, row]));
  for (const line of state.lines) {
    const row = gone.get(line.id) ?? newRow(line.id);
    gone.delete(line.id);
    fillRow(row, line);
    // Lines keep their order; a new one is the last.
    if (!row.isConnected) list.append(row);
  }
  for (const row of gone.values()) remove(row);
  find("empty").hidden = state.lines.length > 0;
  const isPending = Boolean(state.pending);
  for (const place of till.querySelectorAll("[data-total], [data-bar-total]")) {
    place.textContent = french(total());
  }
  find("bar-count").textContent = state.lines.length > 0 ? `(${state.lines.length})` : "";
  for (const pay of till.querySelectorAll("[data-pay], [data-bar-pay]")) {
    pay.disabled = isPending || state.lines.length === 0;
  }
  find("clear").disabled = isPending || state.lines.length === 0;
  find("unsettled").hidden = !isPending;
  till.classList.toggle("is-pending", isPending);
}

/** Takes a row out; whoever was in it goes on with the next one. */
function remove(row) {
  const hadFocus = row.contains(document.activeElement);
  const next = row.nextElementSibling ?? row.previousElementSibling;
  row.remove();
  if (!hadFocus) return;
  if (next) next.querySelector(".till__step:last-of-type").focus();
  else if (!isTouch) find("search").focus();
}

/** Scrolls the list of lines, never the page: the goods must stay under the finger. */
function reveal(id) {
  const list = find("lines");
  const row = [...list.children].find((known) => known.dataset.line === id);
  if (!row) return;
  if (row.offsetTop < list.scrollTop) list.scrollTop = row.offsetTop;
  const end = row.offsetTop + row.offsetHeight;
  if (end > list.scrollTop + list.clientHeight) list.scrollTop = end - list.clientHeight;
}

/** What lies on the counter now, for one product. */
export function setAvailable(product, available, shown) {
  product.available = available;
  product.shownAvailable = shown;
  product.element.classList.toggle("is-out", available <= 0);
  const words = fill(text.tAvailable, shown);
  if (product.stock.textContent !== words) product.stock.textContent = words;
}

export function gather() {
  for (const element of till.querySelectorAll("[data-product]")) {
    const { product: id, name, price, unit, sku, ofCategory, counted, available, shown } =
      element.dataset;
    products.set(id, {
      id,
      element,
      name,
      unit,
      sku,
      shown: price,
      price: centimes(price),
      category: ofCategory,
      isCounted: counted === "true",
      available: Math.round(Number(available) * 1000),
      shownAvailable: shown,
      stock: element.querySelector("[data-stock]"),
    });
  }
}

/** The lines as the server reads them. */
export function saleLines() {
  return state.lines.map((line) => ({
    product_id: line.id,
    quantity: plainQuantity(line.quantity),
    price: products.get(line.id).shown,
  }));
}
