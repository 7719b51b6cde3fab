// The tab for CSS: what the content's first <style> element holds. The content is the one truth; this is a window on it.
import { filled } from "./asking.js";
import { editor, languages, mark, put } from "./code.js";

const STYLE = /(<style\b[^>]*>)([\s\S]*?)<\/style\s*>/i;
const LINKED = /asset:[^\s"'<>)]+\.css/g;

export class StyleTab {
  constructor(panel, content) {
    Object.assign(this, { content, panel, writing: false });
    this.none = panel.querySelector("#style-none");
    this.linked = panel.querySelector("#style-linked");
    this.host = panel.querySelector(".code-host");
    this.view = editor({
      parent: this.host,
      label: panel.dataset.label,
      language: languages.css(),
      changed: () => this.writing || this.written(),
    });
    panel.querySelector("#style-add").addEventListener("click", () => this.add());
  }

  // Shows what the content has now.
  show() {
    const found = this.find();
    this.none.hidden = found !== null;
    this.host.hidden = found === null;
    const names = [...new Set(this.content.state.doc.toString().match(LINKED) ?? [])];
    this.linked.hidden = !names.length;
    this.linked.textContent = filled(this.linked.dataset.text, { names: names.join(", ") });
    this.writing = true;
    put(this.view, found?.text ?? "");
    this.writing = false;
  }

  // Marks what is wrong in the part of the content that is seen here.
  mark(marks) {
    const found = this.find();
    if (!found) return;
    const { doc } = this.content.state;
    const first = doc.lineAt(found.from).number;
    const last = doc.lineAt(found.to).number;
    const seen = marks.filter(({ line }) => line >= first && line <= last);
    mark(this.view, seen.map((one) => ({ ...one, line: one.line - first + 1 })));
  }

  find() {
    const match = STYLE.exec(this.content.state.doc.toString());
    if (!match) return null;
    const from = match.index + match[1].length;
    return { from, to: from + match[2].length, text: match[2] };
  }

  written() {
    const found = this.find();
    if (found) this.content.dispatch({ changes: { from: found.from, to: found.to, insert: this.view.state.doc.toString() } });
  }

  add() {
    const text = this.content.state.doc.toString();
    const head = /<\/head\s*>/i.exec(text);
    this.content.dispatch({ changes: { from: head?.index ?? 0, insert: "<style>\n  @page { size: A4; margin: 20mm }\n</style>\n" } });
    this.show();
    this.view.focus();
  }
}
