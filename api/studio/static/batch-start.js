// The page that starts a batch: the farm says what the beginning of the file shows, its columns are matched with what the
// template wants, and the file is sent as it is; the farm puts its columns in their places, and checks every line.
import { chosen, element, leaveOthers, offer, showRows, wishOf } from "./batch-columns.js";

const form = document.getElementById("batch-start");
const words = form?.dataset ?? {};
const part = (name) => document.getElementById(name);
const LOOKED_AT_BYTES = 1024 * 1024;
const PAUSE_MS = 300;
const TABLE = "text/csv";
const KINDS = { [TABLE]: "csv", "application/x-ndjson": "ndjson", "application/json": "json" };
// What the API calls by a field of its own; and what it is about when it names none.
const FIELDS = { items: "file" };
const ABOUT = { 404: "template", 413: "file", 415: "file" };

const unnamed = part("called")?.textContent;

let file = null;
let seen = null;
let looking = new AbortController();
let soon = 0;
let sending = null;

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (_all, name) => values[name]);
}

function size(bytes) {
  let [value, unit] = [bytes, "B"];
  for (const larger of ["KiB", "MiB", "GiB"]) if (value >= 1024) [value, unit] = [value / 1024, larger];
  return `${unit === "B" || value >= 10 ? Math.round(value) : value.toFixed(1)} ${unit}`;
}

// -- What the file shows ---------------------------------------------------------------------------------------------------

// `isNew`: the file or the template is another one, so the columns are chosen as the farm suggests.
async function look({ isNew = false, named = true } = {}) {
  looking.abort();
  clearTimeout(soon);
  looking = new AbortController();
  const { signal } = looking;
  if (isNew) seen = null;
  try {
    const content = file ? await file.slice(0, LOOKED_AT_BYTES).arrayBuffer() : "";
    const query = asked(["template", ...(named ? ["name"] : [])]);
    if (!isNew) query.set("columns", JSON.stringify(chosen()));
    const headers = { "Content-Type": "application/octet-stream", Accept: "application/json", "X-CSRFToken": words.token };
    const answer = await fetch(`${words.preview}?${query}`, { method: "POST", body: content, headers, signal });
    const body = await answer.json().catch(() => null);
    if (signal.aborted) return;
    clearProblems();
    if (answer.ok) show(body.data, isNew);
    else {
      refuse(answer.status, body);
      if (isNew) part("preview").hidden = true;
      // A name that is none keeps nobody from seeing the rest; the refusal stays beside it.
      if (named && body?.meta?.fields?.includes("name")) await seeAlone(isNew);
    }
  } catch (error) {
    if (signal.aborted) return;
    clearProblems();
    say("file", [["NotReadableError", "NotFoundError"].includes(error.name) ? words.unreadable : words.away]);
  }
}

async function seeAlone(isNew) {
  const problems = [...part("about-name").childNodes];
  await look({ isNew, named: false });
  part("about-name").replaceChildren(...problems);
}

function lookSoon() {
  clearTimeout(soon);
  soon = setTimeout(look, PAUSE_MS);
}

function take(found) {
  file = found;
  part("file-name").textContent = file.name;
  part("file-kind").textContent = words.reading;
  look({ isNew: true });
}

function show(data, isNew) {
  seen = data;
  if (isNew) offer(seen, words);
  if (file) {
    const kind = seen.mediaType ? `${words[KINDS[seen.mediaType]]} · ` : "";
    part("file-kind").textContent = kind + size(file.size);
    if (!seen.mediaType) say("file", [words.empty]);
    else if (seen.charset !== "utf-8") {
      part("about-file").append(element("p", filled(words.encoding, { encoding: seen.charset }), "form-hint"));
    }
  }
  showRows(seen);
  const called = part("called");
  called.textContent = seen.missing ? filled(words.missing, { path: seen.missing }) : unnamed;
  if (seen.name !== null) called.textContent = filled(words.called, { name: seen.name });
  called.classList.toggle("problem", seen.missing !== null);
  const tells = seen.left.length && seen.wanted.length;
  part("keeps").textContent = tells ? filled(words.keeps, { columns: seen.left.join(", ") }) : "";
}

// -- What is wrong -------------------------------------------------------------------------------------------------------------

function clearProblems() {
  for (const place of form.querySelectorAll("[id^=about-]")) place.replaceChildren();
  for (const field of form.querySelectorAll(".is-invalid")) field.classList.remove("is-invalid");
  for (const field of form.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

function say(field, messages) {
  const place = part(`about-${field}`);
  if (!place) return false;
  place.append(...messages.map((message) => element("p", message, "problem")));
  const input = part(`field-${field}`);
  input?.classList.add("is-invalid");
  input?.setAttribute("aria-invalid", "true");
  return true;
}

// Every refusal stands beside what it is about. Returns where the first one stands.
function refuse(status, body) {
  let first = null;
  for (const [place, message] of (body?.errors ?? [`${status}`]).entries()) {
    const named = body?.meta?.fields?.[place];
    const field = FIELDS[named] ?? named ?? ABOUT[status] ?? "form";
    const told = message.replace(/^(line|item) /, (word) => word[0].toUpperCase() + word.slice(1));
    if (!say(field, [told])) say("form", [told]);
    first ??= part(`field-${field}`) ?? part("start");
  }
  return first;
}

// -- Sending ------------------------------------------------------------------------------------------------------------------

function asked(names) {
  const query = new URLSearchParams();
  for (const name of names) {
    const field = form.elements[name];
    const text = field.type === "checkbox" ? (field.checked ? "true" : "") : field.value.trim();
    if (text) query.set(name, text);
  }
  return query;
}

function working(is, what = "") {
  part("start").disabled = is;
  part("stop").disabled = false;
  part("sending").hidden = !is;
  part("sending-what").textContent = what;
  progressed(0);
}

function progressed(share) {
  part("sent").value = share;
  part("sending-how-much").textContent = `${Math.floor(share * 100)} %`;
}

async function start() {
  if (!file) {
    clearProblems();
    say("file", [words.noFile]);
    part("field-file").focus();
    return;
  }
  // Of a file that was refused, it is said once more why.
  if (!seen) await look({ isNew: true });
  if (!seen?.mediaType) return;
  looking.abort();
  clearTimeout(soon);
  clearProblems();
  const lacking = seen.wanted.filter((one) => one.required && one.fits && !(one.path in chosen()));
  if (lacking.length) {
    const selects = lacking.map((one) => wishOf(one.path).querySelector("select"));
    for (const select of selects) select.classList.add("is-invalid");
    say("form", [`${lacking.map((one) => one.path).join(", ")}: ${words.demanded}`]);
    selects[0].focus();
    return;
  }
  sending = new AbortController();
  try {
    working(true, words.sending);
    const { status, body } = await posted(sending.signal);
    if (status === 202) {
      // Nothing is lost any more by leaving, and nothing is to be sent twice until then.
      sending = null;
      location.assign(words.batch.replace(encodeURIComponent("{id}"), body.data.id));
      await new Promise(() => {});
    }
    const first = refuse(status, body);
    first?.focus();
    first?.scrollIntoView({ block: "center" });
  } catch (error) {
    const isThere = await file.slice(0, 1).arrayBuffer().catch(() => null);
    if (!isThere) say("file", [words.unreadable]);
    else if (error.name !== "AbortError") say("form", [words.lost]);
  } finally {
    sending = null;
    working(false);
  }
}

// By XMLHttpRequest: fetch does not say how much was sent.
function posted(signal) {
  const query = asked(["template", "name", "printerName", "expiresIn", "merge", "keep"]);
  if (query.has("printerName")) query.set("numberOfCopies", form.elements.numberOfCopies.value || "1");
  query.set("columns", JSON.stringify(chosen()));
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `${words.upload}?${query}`);
    request.responseType = "json";
    request.setRequestHeader("Content-Type", seen.mediaType === TABLE ? `${TABLE}; charset=${seen.charset}` : seen.mediaType);
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("X-CSRFToken", words.token);
    request.upload.addEventListener("progress", (event) => event.lengthComputable && progressed(event.loaded / event.total));
    request.upload.addEventListener("load", () => {
      part("sending-what").textContent = words.checking;
      // The farm has it, and may have accepted it already.
      part("stop").disabled = true;
    });
    request.addEventListener("load", () => resolve({ status: request.status, body: request.response }));
    request.addEventListener("error", () => reject(new Error("lost")));
    request.addEventListener("abort", () => reject(signal.reason));
    signal.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}

// -- What the page's parts do ------------------------------------------------------------------------------------------------------

if (form) {
  const drop = part("drop");
  part("field-file").addEventListener("change", (event) => event.target.files[0] && take(event.target.files[0]));
  for (const name of ["dragenter", "dragover"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.add("drop-over");
    });
  }
  for (const name of ["dragleave", "drop"]) drop.addEventListener(name, () => drop.classList.remove("drop-over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
  part("mapping").addEventListener("change", (event) => {
    leaveOthers(event.target);
    showRows(seen);
    lookSoon();
  });
  form.elements.name.addEventListener("input", lookSoon);
  // Another template wants something else.
  form.elements.template.addEventListener("change", () => look({ isNew: true }));
  form.elements.printerName.addEventListener("change", () => { part("copies").hidden = !form.elements.printerName.value; });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!sending) start();
  });
  part("stop").addEventListener("click", () => sending?.abort());
  addEventListener("beforeunload", (event) => sending && event.preventDefault());
  look({ isNew: true });
}
