// Requests of the template pages to the API, with what a signed-in browser's must have.
const token = JSON.parse(document.body.getAttribute("hx-headers:inherited"))["X-CSRFToken"];

export const headers = (others = {}) => ({ Accept: "application/json", "X-CSRFToken": token, ...others });

export function ask(method, address, { json, headers: others = {}, signal } = {}) {
  const body = json === undefined ? undefined : json;
  const kind = json === undefined ? {} : { "Content-Type": "application/json" };
  return fetch(address, { method, signal, body, headers: headers({ ...kind, ...others }) });
}

// What an answer says is wrong: a message for each problem, with its field where it has one.
export async function problems(answer) {
  try {
    const said = await answer.json();
    const fields = said.meta?.fields ?? [];
    return { list: said.errors.map((message, place) => ({ message, field: fields[place] ?? null })), line: said.meta?.line ?? null };
  } catch {
    return { list: [{ message: `${answer.status} ${answer.statusText}`, field: null }], line: null };
  }
}

// Fills a text of the page: {name} stands for a value.
export const filled = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

export const address = (name) => name.split("/").map(encodeURIComponent).join("/");
