// The count form: sums as one types. The server counts again.
import { french } from "./till-money.js";

const form = document.querySelector("[data-count]");

function refresh() {
  let total = 0;
  for (const input of form.querySelectorAll("[data-note]")) {
    const note = Number(input.dataset.note);
    const pieces = /^\d+$/.test(input.value.trim()) ? Number(input.value) : 0;
    total += note * pieces * 100;
    form.querySelector(`[data-sum-of="${note}"]`).textContent =
      pieces > 0 ? french(note * pieces * 100) : "";
  }
  form.querySelector("[data-counted]").textContent = french(total);
  const difference = form.querySelector("[data-difference]");
  if (difference && form.dataset.expected) {
    const off = total - Math.round(Number(form.dataset.expected) * 100);
    difference.textContent = (off > 0 ? "+" : "") + french(off);
    form.querySelector("[data-reason]").required = off !== 0;
  }
}

if (form) {
  form.addEventListener("input", refresh);
  // Enter goes to the next line of the count; only the button sends it.
  form.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.target.matches("[data-note]")) return;
    event.preventDefault();
    const inputs = [...form.querySelectorAll("input:not([type=hidden])"), form.querySelector("button")];
    inputs[inputs.indexOf(event.target) + 1]?.focus();
  });
  refresh();
}
