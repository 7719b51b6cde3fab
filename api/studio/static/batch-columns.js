// Which column of a batch's file is what: a line for each thing that the template wants, and the file's first lines.
const part = (name) => document.getElementById(name);

export function element(name, text = "", kind = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function wishes() {
  return [...document.querySelectorAll("#mapping [data-wanted]")];
}

export function chosen() {
  const pairs = wishes().map((wish) => [wish.dataset.wanted, wish.querySelector("select").value]);
  return Object.fromEntries(pairs.filter(([, column]) => column));
}

export function wishOf(path) {
  return wishes().find((wish) => wish.dataset.wanted === path);
}

// A column is one thing: whoever had it before leaves it.
export function leaveOthers(chosenHere) {
  for (const wish of wishes()) {
    const select = wish.querySelector("select");
    if (select !== chosenHere && select.value === chosenHere.value) select.value = "";
  }
}

export function offer(seen, words) {
  // A table has no lists.
  for (const one of seen.wanted) one.fits = seen.mediaType !== "text/csv" || !["array", "object"].includes(one.type);
  const rows = seen.wanted.map((one, place) => {
    const row = part("wish").content.firstElementChild.cloneNode(true);
    const [title, select] = [row.querySelector("th"), row.querySelector("select")];
    row.dataset.wanted = one.path;
    title.id = `wanted-${place + 1}`;
    title.prepend(one.path);
    if (!one.required) title.querySelector(".problem").remove();
    const about = one.about ?? words[one.type];
    if (about) title.append(element("span", about, "under"));
    select.setAttribute("aria-labelledby", title.id);
    const columns = one.fits ? seen.columns : [];
    select.append(...columns.map((column) => new Option(column, column)));
    select.value = seen.suggested[one.path] ?? "";
    select.disabled = !columns.length;
    return row;
  });
  document.querySelector("#mapping tbody").replaceChildren(...rows);
  document.querySelector("#mapping table").hidden = !rows.length;
  part("wants-nothing").hidden = rows.length > 0;
}

export function showRows(seen) {
  const picked = chosen();
  for (const [place, wish] of wishes().entries()) {
    const { path, example } = seen.wanted[place];
    const sample = example === null || typeof example === "object" ? "" : `${example}`;
    const column = seen.columns.indexOf(picked[path]);
    wish.lastElementChild.textContent = column < 0 ? cut(sample) : cut(seen.rows[0]?.[column] ?? "");
  }
  const preview = part("preview");
  preview.hidden = !seen.columns.length;
  const head = element("tr");
  for (const column of seen.columns) {
    const title = element("th", column);
    const becomes = Object.keys(picked).find((path) => picked[path] === column && path !== column);
    if (becomes) title.append(element("span", `→ ${becomes}`, "becomes"));
    head.append(title);
  }
  const table = element("table");
  table.append(element("thead"), element("tbody"));
  table.tHead.append(head);
  for (const row of seen.rows) {
    const line = element("tr");
    line.append(...row.map((value) => element("td", cut(value))));
    table.tBodies[0].append(line);
  }
  preview.replaceChildren(table);
}

function cut(text) {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}
