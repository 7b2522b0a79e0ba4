// What every page shares: the menu on small screens, relative times, confirmation,
// one submit per form, and the token for htmx. Pages work without it.

const root = document.documentElement;
const language = root.lang || "fr";

function openMenu(open) {
  document.body.classList.toggle("menu-open", open);
  const veil = document.querySelector("[data-menu-close]");
  if (veil) veil.hidden = !open;
  const button = document.querySelector("[data-menu-toggle]");
  button?.setAttribute("aria-expanded", String(open));
  if (open) document.querySelector("#menu a")?.focus();
  else if (document.activeElement?.closest("#menu")) button?.focus();
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-menu-toggle]")) {
    openMenu(!document.body.classList.contains("menu-open"));
  } else if (event.target.closest("[data-menu-close]")) {
    openMenu(false);
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && document.body.classList.contains("menu-open")) openMenu(false);
});

// <time datetime="…" data-relative>: the exact time stays in the title.
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
const STEPS = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30]];

function sayRelative(element) {
  const at = Date.parse(element.dateTime);
  if (Number.isNaN(at)) return;
  element.title ||= element.textContent.trim();
  let amount = (at - Date.now()) / 1000;
  for (const [unit, size] of STEPS) {
    if (Math.abs(amount) < size) {
      element.textContent = relative.format(Math.round(amount), unit);
      return;
    }
    amount /= size;
  }
  element.textContent = element.title;
}
function sayAllRelative(within) {
  within.querySelectorAll("time[data-relative]").forEach(sayRelative);
}
sayAllRelative(document);
setInterval(() => sayAllRelative(document), 20_000);
document.addEventListener("htmx:load", (event) => sayAllRelative(event.detail.elt));

// <form data-confirm="…" data-confirm-yes="…" data-confirm-no="…">
function ask(form) {
  const dialog = document.createElement("dialog");
  const text = document.createElement("p");
  text.className = "dialog__text";
  text.textContent = form.dataset.confirm;
  const row = document.createElement("form");
  row.method = "dialog";
  row.className = "row row--end";
  const button = (label, value, style) => {
    const element = document.createElement("button");
    element.className = `button ${style}`;
    element.value = value;
    element.textContent = label;
    row.append(element);
  };
  button(form.dataset.confirmNo || document.body.dataset.no, "no", "");
  button(form.dataset.confirmYes || document.body.dataset.yes, "yes", "button--primary");
  dialog.append(text, row);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
  });
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.method === "dialog") return;
  if (form.dataset.confirm && !form.dataset.confirmed) {
    event.preventDefault();
    event.stopImmediatePropagation();
    const submitter = event.submitter;
    if (await ask(form)) {
      form.dataset.confirmed = "yes";
      form.requestSubmit(submitter);
    }
    return;
  }
  delete form.dataset.confirmed;
  if (form.dataset.sent) {
    event.preventDefault();
    event.stopImmediatePropagation();
    return;
  }
  if (form.method === "post" && !form.hasAttribute("hx-post")) {
    form.dataset.sent = "yes";
    // After this turn: a disabled button would not send its value.
    setTimeout(() => event.submitter?.setAttribute("aria-busy", "true"));
  }
}, { capture: true });

// Back from the cache: forms may be sent again.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.forms) delete form.dataset.sent;
  document.querySelectorAll("[aria-busy]").forEach((element) => element.removeAttribute("aria-busy"));
});

document.addEventListener("htmx:configRequest", (event) => {
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  if (token) event.detail.headers["X-CSRF-Token"] = token;
});
