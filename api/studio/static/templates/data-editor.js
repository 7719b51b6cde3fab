// <data-editor>: a document's data in a form's textarea, as JSON with an editor, or as rows where it has a list of them.
// The textarea is the one truth: it is what is sent, and both are windows on it.
import { editor, languages, put } from "./code.js";
import { read, write } from "./json-text.js";
import { Grid } from "./grid.js";
import { columnsOf, listsIn } from "./lists.js";

const INDENT = "  ";

class DataEditor extends HTMLElement {
  connectedCallback() {
    if (this.text) return;
    this.text = this.querySelector("textarea");
    this.rows = this.querySelector(".data-rows");
    this.json = this.querySelector(".data-json");
    this.fields = JSON.parse(this.querySelector(".data-fields").content.textContent);
    this.text.hidden = true;
    this.view = editor({
      parent: this.json,
      text: this.text.value,
      label: this.dataset.label,
      language: languages.json(),
      changed: () => (this.text.value = this.view.state.doc.toString()),
    });
    this.buttons = [...this.querySelectorAll("[data-show]")];
    for (const button of this.buttons) button.addEventListener("click", () => this.show(button.dataset.show));
    this.buttons[0].parentElement.hidden = false;
    this.show(this.hasRows() ? "rows" : "json");
  }

  hasRows() {
    try {
      return listsIn(this.text.value.trim() ? read(this.text.value) : {}, this.fields).length > 0;
    } catch {
      return false;
    }
  }

  show(kind) {
    for (const button of this.buttons) button.setAttribute("aria-pressed", button.dataset.show === kind);
    this.rows.hidden = kind !== "rows";
    this.json.hidden = kind !== "json";
    // A grid that is not seen must not keep the form from being sent.
    this.rows.replaceChildren();
    if (kind === "rows") this.showRows();
    else put(this.view, this.text.value);
  }

  showRows() {
    let data;
    try {
      data = this.text.value.trim() ? read(this.text.value) : {};
    } catch {
      this.rows.replaceChildren(paragraph(this.dataset.broken, "problem"));
      return;
    }
    const lists = listsIn(data, this.fields);
    if (!lists.length) this.rows.replaceChildren(paragraph(this.dataset.none, "nothing"));
    else if (lists.length === 1) this.rows.replaceChildren(this.grid(data, lists[0]));
    else this.choose(data, lists);
  }

  // Of several lists, one is shown at a time.
  choose(data, lists) {
    const select = Object.assign(document.createElement("select"), { className: "form-select", ariaLabel: this.dataset.list });
    select.append(...lists.map(({ name }) => new Option(name)));
    let grid = this.grid(data, lists[0]);
    select.addEventListener("change", () => {
      const chosen = this.grid(data, lists[select.selectedIndex]);
      grid.replaceWith(chosen);
      grid = chosen;
    });
    this.rows.replaceChildren(select, grid);
  }

  grid(data, list) {
    const columns = columnsOf(list.rows, list.isDeclared ? this.fields : []);
    const changed = () => (this.text.value = write(list.put(data), INDENT));
    return new Grid({ rows: list.rows, columns, say: this.dataset, changed }).element;
  }
}

function paragraph(text, kind) {
  return Object.assign(document.createElement("p"), { textContent: text, className: kind });
}

customElements.define("data-editor", DataEditor);
