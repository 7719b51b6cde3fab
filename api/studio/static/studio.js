// What every page does: times by the reader's clock, dialogs, copying, pictures that are still being made, and the
// connection that may be lost.
import "./json-view.js";

const words = document.getElementById("words")?.dataset ?? {};
const language = document.documentElement.lang;

// -- Times -------------------------------------------------------------------------------------------------------------

const absolute = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];
const WEEK_SECONDS = 7 * 86400;

function ago(date, always) {
  const seconds = (date - Date.now()) / 1000;
  if (Math.abs(seconds) > WEEK_SECONDS && !always) return absolute.format(date);
  for (const [unit, length] of UNITS) {
    if (Math.abs(seconds) >= length) return relative.format(Math.round(seconds / length), unit);
  }
  return words.justNow ?? absolute.format(date);
}

function showTimes(within) {
  for (const element of within.querySelectorAll("time[datetime]")) {
    const date = new Date(element.dateTime);
    if (Number.isNaN(date.getTime())) continue;
    const text = "exact" in element.dataset ? absolute.format(date) : ago(date, "relative" in element.dataset);
    if (element.textContent !== text) element.textContent = text;
    element.title = absolute.format(date);
  }
}

setInterval(() => showTimes(document), 20_000);

// -- Pictures that a worker still makes ----------------------------------------------------------------------------------

const MOST_TRIES = 20;
const BLANK = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";

function tryAgain(picture) {
  const address = picture.dataset.address ?? picture.src;
  const tries = Number(picture.dataset.tries ?? 0);
  Object.assign(picture.dataset, { address, tries: tries + 1 });
  picture.src = BLANK;
  picture.classList.toggle("thumbnail-waits", tries < MOST_TRIES);
  if (tries < MOST_TRIES) setTimeout(() => { picture.src = address; }, Math.min(1000 * 1.3 ** tries, 10_000));
}

const awaited = (picture) => picture instanceof HTMLImageElement && "retry" in picture.dataset;

document.addEventListener("error", (event) => {
  if (awaited(event.target)) tryAgain(event.target);
}, true);

// Those that failed before this script was there.
for (const picture of document.images) {
  if (awaited(picture) && picture.complete && !picture.naturalWidth) tryAgain(picture);
}

document.addEventListener("load", (event) => {
  const picture = event.target;
  if (picture instanceof HTMLImageElement && picture.src !== BLANK) picture.classList.remove("thumbnail-waits");
}, true);

// -- Dialogs, menus, messages ----------------------------------------------------------------------------------------------

const dialog = document.getElementById("dialog");

document.addEventListener("htmx:after:swap", (event) => {
  showTimes(document);
  if (event.detail.ctx?.target === dialog && dialog.childElementCount && !dialog.open) dialog.showModal();
});

document.addEventListener("click", (event) => {
  const target = event.target.closest("[data-close], [data-dismiss], [data-copy], [data-copy-curl]");
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
  if (!target) {
    // A click beside a dialog closes it.
    if (event.target === dialog) dialog.close();
    return;
  }
  if ("close" in target.dataset) dialog.close();
  else if ("dismiss" in target.dataset) target.closest(".notice").remove();
  else if ("copyCurl" in target.dataset) copyAsCurl(target);
  else copy(target, target.dataset.copy);
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  }
});

dialog?.addEventListener("close", () => dialog.replaceChildren());

// How many filters of a list are set: its form stays, while the list comes again.
document.addEventListener("input", (event) => {
  const panel = event.target.closest(".filters .menu-panel");
  if (!panel) return;
  const chosen = [...panel.querySelectorAll("[name]")].filter((one) => one.value && !one.closest("[data-no-filter]"));
  const badge = panel.parentElement.querySelector(".badge-count");
  badge.textContent = chosen.length || "";
  badge.hidden = !chosen.length;
});

async function copy(button, text) {
  if (isSecureContext) await navigator.clipboard.writeText(text);
  else copyFrom(button, text);
  button.dataset.said = words.copied ?? "";
  setTimeout(() => delete button.dataset.said, 1500);
}

// Pages that came unencrypted have no clipboard, other than that of what is selected.
function copyFrom(button, text) {
  const field = Object.assign(document.createElement("textarea"), { value: text, readOnly: true, className: "visually-hidden" });
  button.after(field);
  field.select();
  document.execCommand("copy");
  field.remove();
  button.focus();
}

// A request in the form that a shell takes, whatever quotes are in it.
async function copyAsCurl(button) {
  const answer = await fetch(button.dataset.copyCurl);
  const body = (await answer.text()).replaceAll("'", "'\\''");
  await copy(button, `curl -sS '${button.dataset.curlTo}' -H 'Content-Type: application/json' -d '${body}'`);
}

// -- Colours -------------------------------------------------------------------------------------------------------------

const themes = document.querySelector("[data-theme-choice]");
if (themes) {
  const chosen = localStorage.getItem("pressroom.theme") ?? "auto";
  themes.querySelector(`[value=${chosen}]`).checked = true;
  themes.addEventListener("change", (event) => {
    localStorage.setItem("pressroom.theme", event.target.value);
    dispatchEvent(new Event("pressroom:theme"));
  });
}

// -- The connection --------------------------------------------------------------------------------------------------------

const banner = document.getElementById("connection");

function connected(is) {
  if (!banner) return;
  banner.hidden = is;
  banner.textContent = is ? "" : banner.dataset.lost;
}

for (const sign of ["htmx:sse:after:connection", "htmx:sse:after:message", "htmx:after:request"]) {
  document.addEventListener(sign, () => connected(true));
}
document.addEventListener("htmx:sse:error", (event) => connected(event.detail.status !== undefined));
document.addEventListener("htmx:error", (event) => {
  // Whoever leaves a page, or asks for something else, ends a request; that is no loss.
  if (event.detail.error?.name !== "AbortError") connected(navigator.onLine && event.detail.ctx?.response !== undefined);
});
addEventListener("offline", () => connected(false));
addEventListener("online", () => connected(true));

showTimes(document);
