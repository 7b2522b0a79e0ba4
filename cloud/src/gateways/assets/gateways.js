// The time a one-time code has left. The server decides; this only shows it.

function show(element) {
  const left = Math.floor((Date.parse(element.dataset.countdown) - Date.now()) / 1000);
  if (left <= 0) {
    element.textContent = element.dataset.countdownOver;
    return false;
  }
  const seconds = String(left % 60).padStart(2, "0");
  element.textContent = `${Math.floor(left / 60)}:${seconds}`;
  return true;
}

for (const element of document.querySelectorAll("[data-countdown]")) {
  if (!show(element)) continue;
  const timer = setInterval(() => {
    if (!show(element)) clearInterval(timer);
  }, 1000);
}
