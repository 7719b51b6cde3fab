// <json-view src="…"> or <json-view><template>{…}</template></json-view>: JSON that opens and closes. Only what is open
// is in the page, and what is large is shown by its beginning: 50 MB must not freeze a tab.
const LARGEST = 1024 * 1024;
const BEGINNING = 16 * 1024;
const MOST_ENTRIES = 200;
const LONG_TEXT = 2000;

class JsonView extends HTMLElement {
  connectedCallback() {
    if (this.shown) return;
    this.shown = true;
    const inline = this.querySelector("template");
    if (inline) this.show(inline.content.textContent);
    else this.load();
  }

  async load() {
    const answer = await fetch(this.getAttribute("src"));
    if (!answer.ok) {
      this.textContent = await answer.text();
      return;
    }
    const { text, whole } = await beginning(answer);
    if (whole) this.show(text);
    else this.showBeginning(text.slice(0, BEGINNING), Number(answer.headers.get("Content-Length")));
  }

  show(text) {
    let value;
    try {
      value = JSON.parse(text);
    } catch {
      this.replaceChildren(element("pre", text.slice(0, BEGINNING)));
      return;
    }
    this.replaceChildren(node(null, value, true));
  }

  showBeginning(text, size) {
    const told = size ? `${(size / 1024 / 1024).toFixed(1)} MiB` : "…";
    const link = element("a", this.dataset.whole);
    link.href = this.getAttribute("src");
    link.className = "btn btn-sm";
    this.replaceChildren(element("p", this.dataset.large.replace("{size}", told)), element("pre", `${text}…`), link);
  }
}

// Reads an answer up to the limit, and lets go of the rest.
async function beginning(answer) {
  const reader = answer.body.getReader();
  const parts = [];
  let size = 0;
  while (size <= LARGEST) {
    const { done, value } = await reader.read();
    if (done) return { text: await new Blob(parts).text(), whole: true };
    parts.push(value);
    size += value.length;
  }
  reader.cancel();
  return { text: await new Blob(parts).text(), whole: false };
}

function element(name, text, kind = "") {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function node(key, value, open) {
  if (value === null || typeof value !== "object") return leaf(key, value);
  const isList = Array.isArray(value);
  const names = isList ? value : Object.keys(value);
  const branch = document.createElement("details");
  const title = element("summary");
  title.append(...label(key), element("span", isList ? `[ ${names.length} ]` : `{ ${names.length} }`, "json-count"));
  branch.append(title);
  let filled = false;
  const fill = () => {
    if (filled || !branch.open) return;
    filled = true;
    branch.append(entries(value, isList ? [...names.keys()] : names, isList, 0));
  };
  branch.addEventListener("toggle", fill);
  branch.open = open || (key !== null && names.length <= 8);
  fill();
  return branch;
}

function entries(value, names, isList, from) {
  const list = element("ul", undefined, "json");
  for (const name of names.slice(from, from + MOST_ENTRIES)) {
    const entry = document.createElement("li");
    entry.append(node(isList ? Number(name) : name, value[name], false));
    list.append(entry);
  }
  if (names.length > from + MOST_ENTRIES) {
    const more = element("button", `… ${names.length - from - MOST_ENTRIES}`, "btn btn-sm");
    more.type = "button";
    more.addEventListener("click", () => more.replaceWith(entries(value, names, isList, from + MOST_ENTRIES)));
    list.append(more);
  }
  return list;
}

function leaf(key, value) {
  const line = element("span", undefined, "json-leaf");
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  const shown = text.length > LONG_TEXT ? `${text.slice(0, LONG_TEXT)}…` : text;
  line.append(...label(key), element("span", shown, `json-${value === null ? "null" : typeof value}`));
  return line;
}

function label(key) {
  return key === null ? [] : [element("span", `${key}`, "json-key"), document.createTextNode(": ")];
}

customElements.define("json-view", JsonView);
