// What is said of a template beside its texts: name, engine, parameters and so on; and what is wrong with it.
import { FieldRows } from "./fields.js";

const GREY = "#888888";
const MILLISECONDS = 1000;
// In which tab a field is, by the first name of its path.
const TABS = { content: "content", sampleData: "sample", parameters: "parameters", fields: "parameters" };

export class Form {
  constructor(root, changed) {
    this.root = root;
    const rows = root.querySelector("#panel-parameters");
    this.rows = { parameters: new FieldRows(rows, "parameters", changed), fields: new FieldRows(rows, "fields", changed) };
    this.coloured = root.querySelector("#coloured");
    const colour = this.field("contextColour");
    colour.addEventListener("input", () => (this.coloured.checked = true));
    root.querySelector("#panel-settings").addEventListener("input", changed);
  }

  field(path) {
    return this.root.querySelector(`[data-field="${path}"]`);
  }

  put(template) {
    for (const name of ["name", "engine", "recipe", "context"]) this.field(name).value = template[name] ?? "";
    this.field("contextColour").value = template.contextColour ?? GREY;
    this.coloured.checked = Boolean(template.contextColour);
    const { reportName, timeout, download } = template.options;
    this.field("options.reportName").value = reportName ?? "";
    this.field("options.timeout").value = timeout ? timeout / MILLISECONDS : "";
    this.field("options.download").checked = Boolean(download);
    for (const [name, rows] of Object.entries(this.rows)) rows.put(template[name]);
  }

  get() {
    const timeout = this.field("options.timeout").value;
    const options = {
      ...(this.field("options.reportName").value && { reportName: this.field("options.reportName").value }),
      ...(this.field("options.download").checked && { download: true }),
      ...(timeout && { timeout: Math.round(Number(timeout) * MILLISECONDS) }),
    };
    return {
      name: this.field("name").value,
      engine: this.field("engine").value,
      recipe: this.field("recipe").value,
      context: this.field("context").value.trim() || null,
      contextColour: this.coloured.checked ? this.field("contextColour").value : null,
      options,
      parameters: this.rows.parameters.get(),
      fields: this.rows.fields.get(),
    };
  }

  // Puts what is wrong beside its field. Returns the rest, and the tabs in which something is wrong.
  tell(problems) {
    for (const old of this.root.querySelectorAll(".problem[data-placed]")) old.remove();
    for (const input of this.root.querySelectorAll("[aria-invalid]")) {
      for (const name of ["aria-invalid", "aria-describedby"]) input.removeAttribute(name);
      input.classList.remove("is-invalid");
    }
    const others = [];
    const tabs = new Set();
    for (const { field, message } of problems) {
      const [, name, place, inner] = /^(\w+)\[(\d+)\](?:\.(\w+))?/.exec(field ?? "") ?? [];
      const input = field && (name in this.rows ? this.rows[name].field(Number(place), inner) : this.field(field));
      if (field) tabs.add(TABS[/^\w*/.exec(field)[0]] ?? "settings");
      if (input) beside(input, message);
      else others.push(message);
    }
    return { others, tabs: [...tabs] };
  }
}

let count = 0;

function beside(input, message) {
  const text = document.createElement("span");
  count += 1;
  Object.assign(text, { className: "problem", id: `problem-${count}`, textContent: message });
  text.dataset.placed = "";
  input.setAttribute("aria-invalid", "true");
  input.setAttribute("aria-describedby", text.id);
  input.classList.add("is-invalid");
  input.after(text);
}
