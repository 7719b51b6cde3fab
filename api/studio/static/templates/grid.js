// Rows as a table of fields: typed into, added, removed, and pasted from a spreadsheet.
import { filled } from "./asking.js";
import { Literal, typed, write } from "./json-text.js";
import { cellsOf, placed, plainNumber } from "./lists.js";

// A table of thousands of fields is slow to make; the others come when they are asked for.
const MOST_SHOWN = 100;
const NUMBERS = ["number", "integer"];
const TEXTS = ["string", "date", "datetime"];

export class Grid {
  // rows: changed in place; columns: their names and types; say: the page's texts; changed: hears of every change.
  constructor({ rows, columns, say, changed }) {
    Object.assign(this, { rows, columns, say, changed, most: MOST_SHOWN });
    this.table = make("table", { className: "cells" });
    this.body = make("tbody");
    const heads = columns.map(({ name, type }) => make("th", { textContent: name, scope: "col", className: kindOf(type) }));
    const head = make("tr");
    head.append(make("th", { textContent: say.row, scope: "col" }), ...heads, make("td"));
    this.table.append(make("thead"), this.body);
    this.table.tHead.append(head);
    this.count = make("span", { className: "under-inline", role: "status" });
    this.more = button(() => this.showMore());
    const tools = make("p", { className: "cells-tools" });
    tools.append(button(() => this.add(), say.add), button(() => this.clear(), say.clear), this.more, this.count);
    const scroll = make("div", { className: "cells-scroll" });
    scroll.append(this.table);
    this.element = make("div");
    this.element.append(scroll, tools);
    this.table.addEventListener("input", (event) => this.typedInto(event.target));
    this.table.addEventListener("paste", (event) => this.pasted(event));
    this.table.addEventListener("keydown", (event) => this.pressed(event));
    this.show();
  }

  show() {
    this.body.replaceChildren(...this.rows.slice(0, this.most).map((row, place) => this.line(row, place)));
    this.tell();
  }

  tell(...said) {
    const hidden = this.rows.length - this.most;
    this.more.hidden = hidden <= 0;
    this.more.textContent = filled(this.say.more, { count: Math.min(hidden, MOST_SHOWN) });
    this.count.textContent = [filled(this.say.rows, { count: this.rows.length }), ...said].join(" · ");
  }

  line(row, place) {
    const line = make("tr");
    line.append(make("th", { textContent: place + 1, scope: "row" }));
    for (const column of this.columns) {
      const cell = make("td");
      const ariaLabel = filled(this.say.cell, { column: column.name, row: place + 1 });
      const input = make("input", { className: `form-control ${kindOf(column.type)}`, value: shown(row[column.name]), ariaLabel });
      cell.append(input);
      line.append(cell);
    }
    const remove = button(() => this.remove(line), "×");
    remove.ariaLabel = filled(this.say.remove, { row: place + 1 });
    line.append(make("td"));
    line.lastChild.append(remove);
    return line;
  }

  typedInto(input) {
    const { row, column } = placeOf(input);
    this.set(row, column, input.value);
    this.judge(input, column);
    this.changed();
  }

  // What a cell holds; one that is left empty has no value, unless it is a text.
  set(row, column, text) {
    const { name, type } = this.columns[column];
    const value = TEXTS.includes(type) ? text : typed(NUMBERS.includes(type) ? plainNumber(text) : text, type);
    if (value === null) delete this.rows[row][name];
    else this.rows[row][name] = value;
  }

  judge(input, column) {
    const { type } = this.columns[column];
    const isWrong = input.value !== "" && !TEXTS.includes(type) && typeof typed(plainNumber(input.value), type) === "string";
    input.setCustomValidity(isWrong ? (NUMBERS.includes(type) ? this.say.number : this.say.value) : "");
    input.classList.toggle("is-invalid", isWrong);
  }

  add() {
    this.rows.push({});
    this.most = Math.max(this.most, this.rows.length);
    this.show();
    this.changed();
    this.input(this.rows.length - 1, 0)?.focus();
  }

  remove(line) {
    const place = line.sectionRowIndex;
    this.rows.splice(place, 1);
    this.show();
    this.changed();
    this.input(Math.min(place, this.rows.length - 1), 0)?.focus();
  }

  clear() {
    this.rows.splice(0);
    this.show();
    this.changed();
  }

  showMore() {
    this.most += MOST_SHOWN;
    this.show();
  }

  // A single cell is pasted as any text is; several fill the table from here on.
  pasted(event) {
    const lines = cellsOf(event.clipboardData.getData("text/plain"));
    if (!(event.target instanceof HTMLInputElement) || (lines.length < 2 && (lines[0]?.length ?? 0) < 2)) return;
    event.preventDefault();
    const from = placeOf(event.target);
    const { rows, at } = placed(lines, this.columns, from.column);
    rows.forEach((cells, place) => {
      const row = from.row + place;
      this.rows[row] ??= {};
      cells.forEach((cell, one) => at[one] >= 0 && this.set(row, at[one], cell));
    });
    this.most = Math.max(this.most, Math.min(this.rows.length, from.row + rows.length));
    this.show();
    for (const input of this.body.querySelectorAll("input")) this.judge(input, placeOf(input).column);
    const left = at.filter((place) => place < 0).length;
    const { pasted, dropped } = this.say;
    this.tell(filled(pasted, { rows: rows.length }), ...(left ? [filled(dropped, { count: left })] : []));
    this.changed();
    this.input(from.row, from.column)?.focus();
  }

  // As in a spreadsheet: Enter leads to the cell below, and does not send the form.
  pressed(event) {
    if (event.key !== "Enter" || !(event.target instanceof HTMLInputElement)) return;
    event.preventDefault();
    const { row, column } = placeOf(event.target);
    if (row + 1 === this.rows.length) this.add();
    this.input(row + 1, column)?.focus();
  }

  input(row, column) {
    return this.body.rows[row]?.cells[column + 1]?.querySelector("input");
  }
}

function placeOf(input) {
  const cell = input.closest("td");
  return { row: cell.parentElement.sectionRowIndex, column: cell.cellIndex - 1 };
}

const kindOf = (type) => (NUMBERS.includes(type) ? "number" : "");
const make = (name, properties = {}) => Object.assign(document.createElement(name), properties);

function button(does, text = "") {
  const made = make("button", { type: "button", className: "btn btn-sm", textContent: text });
  made.addEventListener("click", does);
  return made;
}

function shown(value) {
  if (value === null || value === undefined) return "";
  return typeof value === "object" && !(value instanceof Literal) ? write(value) : value instanceof Literal ? value.text : String(value);
}
