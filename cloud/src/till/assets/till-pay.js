// The payment dialog: what is due in cash, what was handed over, what goes back.
import { saleLines, total } from "./till-cart.js";
import { cashDue, centimes, french } from "./till-money.js";
import { fill, find, isTouch, keep, mayChange, state, text, till } from "./till-page.js";
import { isSending, newId, send } from "./till-sale.js";

const WHOLE_DIGITS_MAX = 9;
/** True after a quick amount: the next digit begins a new one. */
let isQuick = false;

export function openPay() {
  if (state.lines.length === 0 || !mayChange() || isSending()) return;
  const [sum, due] = [total(), cashDue(total())];
  find("due").textContent = french(due);
  find("rounded").hidden = due === sum;
  find("rounded").textContent = fill(text.tRounded, french(sum));
  const input = find("received");
  input.value = "";
  input.placeholder = french(due);
  if (isTouch) input.inputMode = "none";
  isQuick = false;
  drawChange();
  find("pay-dialog").showModal();
  input.focus();
}

/** Nothing typed means the exact sum. */
function received() {
  const typed = find("received").value.trim();
  return typed === "" ? cashDue(total()) : centimes(typed);
}

function drawChange() {
  const given = received();
  const rest = given === null ? -1 : given - cashDue(total());
  find("change-label").textContent = rest < 0 ? text.tMissing : text.tChange;
  find("change").textContent = given === null ? "?" : french(Math.abs(rest));
  find("validate").disabled = rest < 0 || isSending();
}

export function takeTyped() {
  isQuick = false;
  drawChange();
}

/** A key of the pad: a digit, `comma`, `erase` or `clear`. */
export function press(key) {
  const input = find("received");
  const typed = isQuick ? "" : input.value;
  const [whole, part] = typed.split(",");
  isQuick = false;
  if (key === "clear") input.value = "";
  else if (key === "erase") input.value = typed.slice(0, -1);
  else if (key === "comma") input.value = part === undefined ? `${typed || "0"},` : typed;
  else if (part !== undefined) input.value = `${whole},${(part + key).slice(0, 2)}`;
  else input.value = (typed + key).slice(0, WHOLE_DIGITS_MAX);
  drawChange();
}

export function chooseAmount(amount) {
  const sum = amount === "exact" ? cashDue(total()) : Number(amount) * 100;
  find("received").value = french(sum);
  isQuick = true;
  drawChange();
  find("validate").focus();
}

export function validate() {
  const given = received();
  if (isSending() || state.pending || given === null || given < cashDue(total())) return;
  state.pending = {
    ticket_id: newId(),
    session_id: till.dataset.session,
    lines: saleLines(),
    received: (given / 100).toFixed(2),
  };
  state.isAsked = false;
  keep();
  send();
}
