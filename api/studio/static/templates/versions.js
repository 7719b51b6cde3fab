// What one version has otherwise than the newest: beside each other, or among each other where there is no room for two,
// with what is the same folded away.
import { EditorView, MergeView, languages, named, readOnly, shown, unifiedMergeView } from "./code.js";

const texts = document.getElementById("texts");
const NARROW = matchMedia("(max-width: 48rem)");
const FOLDED = { margin: 3, minSize: 6 };
const LANGUAGES = { content: languages.content("jinja"), sample: languages.json(), settings: languages.json() };

function compare(part, older, newest) {
  const name = part.dataset.merge;
  const differs = older[name] !== newest[name];
  part.querySelector("[data-differs]").hidden = !differs;
  part.querySelector("[data-same]").hidden = differs;
  // Made when it is first seen: a folded editor cannot be measured.
  part.addEventListener("toggle", () => {
    const host = part.querySelector(".merge-host");
    if (!part.open || host.childElementCount) return;
    const side = (text, label) => ({ doc: text, extensions: [shown, readOnly, LANGUAGES[name], named(label)] });
    const newer = side(newest[name], part.dataset.newest);
    if (NARROW.matches) {
      const among = unifiedMergeView({ original: older[name], mergeControls: false, collapseUnchanged: FOLDED });
      new EditorView({ parent: host, ...newer, extensions: [...newer.extensions, among] });
    } else {
      new MergeView({ parent: host, a: side(older[name], part.dataset.older), b: newer, collapseUnchanged: FOLDED });
    }
  });
  part.open = differs;
}

if (texts) {
  const [older, newest] = JSON.parse(texts.content.textContent);
  for (const part of document.querySelectorAll("[data-merge]")) compare(part, older, newest);
}
