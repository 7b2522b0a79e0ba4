// New punches at the top of the list as they come. The browser reconnects by itself and
// says the last id it has; a row that is already there is not shown twice.

const body = document.querySelector("[data-live]");
const state = document.querySelector("[data-live-state]");
const ROWS_MAX = 500;

function say(isLive) {
  if (!state) return;
  state.textContent = isLive ? state.dataset.liveOn : state.dataset.liveOff;
  state.classList.toggle("badge--ok", isLive);
  state.classList.toggle("badge--idle", !isLive);
}

function show(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  const row = holder.content.querySelector("tr");
  if (!row || body.querySelector(`[data-punch="${row.dataset.punch}"]`)) return;
  body.prepend(row);
  document.querySelector("[data-empty]")?.setAttribute("hidden", "");
  while (body.rows.length > ROWS_MAX) body.lastElementChild.remove();
}

if (body) {
  const events = new EventSource(body.dataset.live);
  events.addEventListener("open", () => say(true));
  events.addEventListener("error", () => say(false));
  events.addEventListener("punch", (event) => show(event.data));
  addEventListener("pagehide", () => events.close());
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });
}
