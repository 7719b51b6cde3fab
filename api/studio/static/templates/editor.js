// The page on which a template is written: its texts, the rest of what is said of it, the document beside it; saving.
import { Assets } from "./assets.js";
import { filled } from "./asking.js";
import { Compartment, EditorView, editor, languages, mark, put } from "./code.js";
import { Unsaved, bodyOf, same } from "./drafts.js";
import { Form } from "./form.js";
import { Preview } from "./preview.js";
import { Conflict, save } from "./saving.js";
import { StyleTab } from "./style.js";
import { Tabs } from "./tabs.js";

const root = document.getElementById("editor");
const saveState = document.getElementById("save-state");
const saveButton = document.getElementById("save");
const warnings = document.getElementById("warnings");
const offer = document.getElementById("unsaved");

// What is stored, as far as this page knows; and while it is put into the fields, nobody has changed anything.
let base = JSON.parse(document.getElementById("state").content.textContent);
let putting = false;
let saving = false;
let leaving = false;

// -- What is written -----------------------------------------------------------------------------------------------------

const engine = new Compartment();
const content = editor({
  parent: document.getElementById("panel-content"),
  label: document.getElementById("panel-content").dataset.label,
  language: engine.of(languages.content(base.engine)),
  changed,
  extensions: EditorView.domEventHandlers({ drop: dropped }),
});
const sample = editor({
  parent: document.getElementById("panel-sample"),
  label: document.getElementById("panel-sample").dataset.label,
  language: languages.json(),
  changed,
});
const style = new StyleTab(document.getElementById("panel-style"), content);
const form = new Form(root, changed);
// Where the cursor was last, for what is put there.
let written = content;
for (const view of [content, style.view]) view.contentDOM.addEventListener("focus", () => (written = view));

const current = () => ({
  ...base,
  ...form.get(),
  content: content.state.doc.toString(),
  sampleData: sample.state.doc.toString(),
});
const isChanged = () => !same(current(), base);

function show(template) {
  putting = true;
  put(content, template.content);
  put(sample, template.sampleData);
  form.put(template);
  style.show();
  putting = false;
  content.dispatch({ effects: engine.reconfigure(languages.content(template.engine)) });
}

function changed() {
  if (putting) return;
  const draft = current();
  if (same(draft, base)) unsaved.forget();
  else unsaved.keep(draft);
  tellState();
  preview.wish();
}

root.querySelector("[data-field=engine]").addEventListener("change", (event) => {
  content.dispatch({ effects: engine.reconfigure(languages.content(event.target.value)) });
});

function tellState() {
  const { at, unsaved: text, saving: busy } = root.dataset;
  const is = saving ? "saving" : isChanged() ? "unsaved" : "saved";
  saveState.dataset.is = is;
  saveState.textContent = { saving: busy, unsaved: text, saved: filled(at, { version: base.version }) }[is];
}

// What is stored, as editors and fields have it: line ends, and the case of colours, are no change of the author's.
function settle(template) {
  base = template;
  show(base);
  base = current();
}

// -- The document beside it ------------------------------------------------------------------------------------------------

// Any recipe whose name says so makes PDFs; what makes plain text is shown as that, and any other on paper.
const PAPER = "weasyprint-pdf";
const makesPages = (recipe) => recipe === "pdf" || recipe.endsWith("-pdf") || recipe === "text";

const preview = new Preview(document.getElementById("panel-preview"), {
  address: `${root.dataset.api}/preview`,
  body() {
    const draft = current();
    const onPaper = !makesPages(draft.recipe);
    return { json: bodyOf({ ...draft, name: draft.name || base.name, ...(onPaper && { recipe: PAPER }) }), onPaper };
  },
  marked(marks) {
    mark(content, marks);
    style.mark(marks);
  },
});

// -- Saving ------------------------------------------------------------------------------------------------------------------

const unsaved = new Unsaved(base.id, base.version);
const conflict = new Conflict(root, ({ theirs, mine, version }) => {
  if (theirs) return begin(theirs);
  show(mine);
  store(mine, version);
});

async function store(draft = current(), version = base.version) {
  if (saving) return;
  saving = true;
  saveButton.disabled = true;
  tellState();
  let became = await save(root, draft, version);
  if (became.stale) became = await conflict.open(draft, version);
  saving = false;
  saveButton.disabled = false;
  if (became.version) stored(draft, became);
  else tellRefused(became.problems ?? []);
  tellState();
}

function stored(draft, { version, name, warnings: said }) {
  unsaved.forget();
  base = { ...draft, name, version };
  unsaved.began(version);
  // What was typed while it was being saved.
  if (isChanged()) unsaved.keep(current());
  form.tell([]);
  tabs.flag([]);
  notice(said, "notice-odd");
  for (const title of document.querySelectorAll("main h1")) title.textContent = name;
  tabs.tab("certificate").hidden = base.recipe !== "pdf";
  document.body.dispatchEvent(new Event("template-saved"));
}

function tellRefused(problems) {
  const { others, tabs: names } = form.tell(problems);
  tabs.flag(names);
  if (names.length && !names.includes(root.dataset.tab)) tabs.open(names[0]);
  root.querySelector(".panel:not([hidden]) [aria-invalid]")?.focus();
  notice(problems.length ? [root.dataset.refused, ...others] : [], "notice-bad");
}

function notice(texts, kind) {
  warnings.className = `notice ${kind}`;
  warnings.hidden = !texts.length;
  const lines = texts.map((text) => Object.assign(document.createElement("p"), { textContent: text }));
  const body = document.createElement("div");
  body.append(...lines);
  warnings.replaceChildren(body);
}

// Another version takes the place of what is here.
function begin(template) {
  unsaved.forget();
  settle(template);
  unsaved.began(base.version);
  tellState();
  preview.wish(0);
}

saveButton.addEventListener("click", () => store());
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "s" || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (!document.querySelector("dialog[open]")) store();
});
addEventListener("beforeunload", (event) => {
  if (leaving || !isChanged()) return;
  unsaved.write(current());
  event.preventDefault();
});
document.querySelector("[data-forgets]").addEventListener("htmx:before:request", () => (leaving = true));
document.addEventListener("htmx:response:error", () => (leaving = false));

// -- Work that was never saved -------------------------------------------------------------------------------------------------

function offerLeft() {
  const left = unsaved.left();
  if (!left || same({ ...base, ...left.draft }, base)) return unsaved.clear();
  const when = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  const about = { when: when.format(new Date(left.at)), version: left.version };
  document.getElementById("unsaved-about").textContent = filled(root.dataset.begun, about);
  offer.hidden = false;
  const decided = () => {
    offer.hidden = true;
    unsaved.clear();
  };
  document.getElementById("unsaved-discard").addEventListener("click", decided, { once: true });
  document.getElementById("unsaved-restore").addEventListener("click", () => {
    // Saved over the version that it began with: if there is a newer one, that is noticed then.
    base = { ...base, version: left.version };
    unsaved.began(left.version);
    show(left.draft);
    changed();
    decided();
  }, { once: true });
}

// -- Assets, and the beginning ---------------------------------------------------------------------------------------------------

const tabs = new Tabs(root, (name) => {
  if (name === "style") style.show();
  for (const view of [content, sample, style.view]) view.requestMeasure();
});
const assets = new Assets(document.getElementById("panel-assets"), {
  api: root.dataset.api,
  insert(text, at = written.state.selection.main) {
    tabs.open(written === content ? "content" : "style");
    written.dispatch({ changes: { from: at.from, to: at.to, insert: text }, selection: { anchor: at.from + text.length } });
    written.focus();
  },
});

// Files that are dropped on the text are stored, and named where they fell.
function dropped(event, view) {
  if (!event.dataTransfer?.types.includes("Files")) return false;
  event.preventDefault();
  const from = view.posAtCoords({ x: event.clientX, y: event.clientY }) ?? view.state.selection.main.from;
  assets.upload([...event.dataTransfer.files]).then((names) => {
    if (names.length) view.dispatch({ changes: { from, insert: names.map((name) => `asset:${name}`).join(" ") } });
  });
  return true;
}

settle(base);
tellState();
offerLeft();
preview.wish(0);
