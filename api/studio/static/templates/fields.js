// Rows of fields that are added, removed and moved: a template's parameters, and the fields of its data.

export class FieldRows {
  constructor(root, name, changed) {
    this.list = root.querySelector(`[data-list=${name}]`);
    this.row = root.querySelector(`#row-${name}`);
    this.changed = changed;
    root.querySelector(`[data-add=${name}]`).addEventListener("click", () => {
      this.add({ type: "string" }).querySelector("[name=name]").focus();
      changed();
    });
    this.list.addEventListener("input", (event) => {
      if (event.target.name === "type") hint(event.target.closest("li"));
      changed();
    });
    this.list.addEventListener("click", (event) => this.clicked(event));
  }

  put(values) {
    this.list.replaceChildren();
    for (const one of values) this.add(one);
  }

  get() {
    return [...this.list.children].map((row) =>
      Object.fromEntries(inputs(row).map((input) => [input.name, input.type === "checkbox" ? input.checked : input.value])),
    );
  }

  add(value) {
    this.list.append(this.row.content.cloneNode(true));
    const row = this.list.lastElementChild;
    for (const input of inputs(row)) {
      if (input.type === "checkbox") input.checked = Boolean(value[input.name]);
      else input.value = value[input.name] ?? "";
    }
    hint(row);
    return row;
  }

  // The field of a row, for what is wrong with it.
  field(place, name) {
    const row = this.list.children[place];
    return row && (row.querySelector(`[name="${name}"]`) ?? row.querySelector("[name=name]"));
  }

  clicked(event) {
    const button = event.target.closest("button");
    if (!button) return;
    const row = button.closest("li");
    if ("up" in button.dataset) row.previousElementSibling?.before(row);
    else if ("down" in button.dataset) row.nextElementSibling?.after(row);
    else {
      const next = row.nextElementSibling ?? row.previousElementSibling;
      row.remove();
      next?.querySelector("[name=name]").focus();
      return this.changed();
    }
    // Moving takes the focus away.
    button.focus();
    this.changed();
  }
}

const inputs = (row) => [...row.querySelectorAll("input, select")];

function hint(row) {
  const such = row.querySelector("[name=type]").selectedOptions[0]?.dataset.such ?? "";
  for (const input of row.querySelectorAll("[data-typed]")) input.placeholder = such;
}
