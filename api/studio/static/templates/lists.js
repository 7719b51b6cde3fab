// What of a document's data can be shown as rows, and what spreadsheets have in the clipboard.
import { Literal } from "./json-text.js";

const isRow = (value) => value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof Literal);
const isList = (value) => Array.isArray(value) && value.length > 0 && value.every(isRow);

// The lists of rows in some data, and how each is put back: the data itself, or what one of its names has.
export function listsIn(data, fields) {
  if (Array.isArray(data)) return data.every(isRow) ? [{ name: "rows", rows: data, isDeclared: true, put: () => data }] : [];
  const names = Object.keys(data).filter((name) => isList(data[name]));
  // What is declared is expected, even where there is none of it yet.
  if (fields.length && !names.includes("rows") && (data.rows === undefined || data.rows?.length === 0)) names.unshift("rows");
  return names.map((name) => {
    const rows = data[name] ?? [];
    return { name, rows, isDeclared: name === "rows", put: (whole) => Object.assign(whole, { [name]: rows }) };
  });
}

// The columns of rows: those that are declared, then those that the rows have, with the type of their values.
export function columnsOf(rows, fields) {
  const columns = new Map(fields.map(({ name, type }) => [name, { name, type: type ?? "string" }]));
  for (const row of rows) {
    for (const [name, value] of Object.entries(row)) {
      const known = columns.get(name);
      if (!known) columns.set(name, { name, type: typeOf(value) });
      else if (known.type === null) known.type = typeOf(value);
    }
  }
  return [...columns.values()].map(({ name, type }) => ({ name, type: type ?? "string" }));
}

function typeOf(value) {
  if (value === null) return null;
  if (typeof value === "number" || value instanceof Literal) return "number";
  if (typeof value === "boolean") return "boolean";
  return typeof value === "string" ? "string" : "object";
}

// The cells of what a spreadsheet copies: lines of cells between tabs; one with a tab, a line or a quote in it is quoted.
export function cellsOf(text) {
  const lines = [];
  let line = [];
  let cell = "";
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const sign = text[at];
    if (quoted && sign === '"' && text[at + 1] === '"') at += 1, (cell += '"');
    else if (sign === '"' && (quoted || cell === "")) quoted = !quoted;
    else if (!quoted && (sign === "\t" || sign === "\n")) {
      line.push(cell);
      cell = "";
      if (sign === "\n") lines.push(line.splice(0));
    } else if (quoted || sign !== "\r") cell += sign;
  }
  if (cell || line.length) lines.push([...line, cell]);
  return lines;
}

// For each pasted cell of a line its column. A first line of columns' names says so itself, and is none of the rows.
export function placed(lines, columns, from) {
  const names = columns.map(({ name }) => name.toLowerCase());
  const heads = lines[0].map((cell) => names.indexOf(cell.trim().toLowerCase()));
  if (lines.length > 1 && heads.every((place) => place >= 0)) return { rows: lines.slice(1), at: heads };
  return { rows: lines, at: lines[0].map((_, place) => (from + place < columns.length ? from + place : -1)) };
}

// A number as spreadsheets show it, where there is no doubt what it is: 1,234.50 and 1.234,50 and 12,5, but not 1,234.
export function plainNumber(text) {
  const bare = text.replace(/[\s\u00a0\u202f']/g, "");
  if (/^-?\d{1,3}(,\d{3})+\.\d+$/.test(bare)) return bare.replaceAll(",", "");
  if (/^-?\d{1,3}(\.\d{3})+,\d+$/.test(bare) || /^-?\d+,(\d{1,2}|\d{4,})$/.test(bare)) {
    return bare.replaceAll(".", "").replace(",", ".");
  }
  return bare;
}
