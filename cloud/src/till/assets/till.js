// The till's page: keys, buttons, start. The server holds prices, stock and tickets; this
// page holds a cart, and a sale that has not been settled yet. Both outlive a reload.
import { add, clear, drawCart, gather, undoClear } from "./till-cart.js";
import { find, isTouch, load, products, state, till } from "./till-page.js";
import { chooseAmount, openPay, press, takeTyped, validate } from "./till-pay.js";
import { abandon, leaveSold, refreshCounter, send } from "./till-sale.js";
import { addFound, chooseCategory, filter, forget } from "./till-search.js";

const STOCK_POLL_MS = 20_000;

const SELLING_KEYS = { F2: () => find("search").focus(), F4: clear, F9: openPay };
const PAYING_KEYS = {
  F5: () => chooseAmount("exact"),
  F6: () => chooseAmount("500"),
  F7: () => chooseAmount("1000"),
  F8: () => chooseAmount("2000"),
  F9: validate,
};

function onKey(event) {
  // A key held down is one wish: Enter kept a little long must not pay what it opened.
  if (event.repeat && event.key === "Enter") return event.preventDefault();
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const dialog = till.querySelector("dialog[open]");
  const isPaying = dialog === find("pay-dialog");
  if (dialog && !isPaying) return;
  const act = (isPaying ? PAYING_KEYS : SELLING_KEYS)[event.key];
  if (act && !event.shiftKey) {
    event.preventDefault();
    if (!event.repeat) act();
    return;
  }
  const isField = event.target.matches("input, select, textarea");
  if (isPaying) {
    if (!isField) typeIntoPad(event);
  } else if (event.key === "Escape") {
    forget();
  } else if (event.key.length === 1 && !isField && event.key !== " ") {
    find("search").focus();
  }
}

/** After a quick amount the focus is on the button; digits still count. */
function typeIntoPad(event) {
  const keys = { ",": "comma", ".": "comma", Backspace: "erase" };
  const key = /^\d$/.test(event.key) ? event.key : keys[event.key];
  if (!key) return;
  event.preventDefault();
  press(key);
}

function listenToGoods() {
  find("search").addEventListener("input", filter);
  find("search").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    // The dialog takes the focus during this key press, which must not submit it.
    event.preventDefault();
    if (!event.repeat && addFound()) openPay();
  });
  for (const tab of till.querySelectorAll("[data-category]")) {
    tab.addEventListener("click", () => chooseCategory(tab));
  }
  for (const product of products.values()) {
    product.element.addEventListener("click", () => add(product.id));
  }
}

function listenToSale() {
  find("clear").addEventListener("click", clear);
  find("undo").addEventListener("click", undoClear);
  find("pay").addEventListener("click", openPay);
  find("bar-pay").addEventListener("click", openPay);
  find("retry").addEventListener("click", send);
  find("reload").addEventListener("click", () => location.reload());
  find("abandon").addEventListener("click", abandon);
  find("received").addEventListener("input", takeTyped);
  find("cancel").addEventListener("click", () => find("pay-dialog").close());
  find("pay-form").addEventListener("submit", (event) => {
    event.preventDefault();
    validate();
  });
  for (const key of till.querySelectorAll("[data-key]")) {
    key.addEventListener("click", () => press(key.dataset.key));
  }
  for (const quick of till.querySelectorAll("[data-amount]")) {
    quick.addEventListener("click", () => chooseAmount(quick.dataset.amount));
  }
  find("next").addEventListener("click", () => find("sold-dialog").close());
  find("sold-dialog").addEventListener("close", leaveSold);
}

if (till) {
  gather();
  load();
  listenToGoods();
  listenToSale();
  document.addEventListener("keydown", onKey);
  globalThis.addEventListener("online", send);
  setInterval(refreshCounter, STOCK_POLL_MS);
  drawCart();
  if (state.pending) send();
  if (!isTouch) find("search").focus({ preventScroll: true });
  till.dataset.ready = "yes";
}
