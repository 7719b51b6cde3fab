// The farm's assets beside a template: uploaded by dropping them, named in the text by a click.
import { address, filled, headers, problems } from "./asking.js";

export class Assets {
  // insert: puts a text into the content, at a place or where its cursor is.
  constructor(panel, { api, insert }) {
    Object.assign(this, { api, insert });
    this.form = panel.querySelector("#upload");
    this.list = this.form.querySelector(".upload-list");
    const files = this.form.querySelector("input[type=file]");
    files.addEventListener("change", async () => {
      await this.upload([...files.files]);
      files.value = "";
    });
    this.form.addEventListener("submit", (event) => event.preventDefault());
    for (const name of ["dragover", "dragleave", "drop"]) panel.addEventListener(name, (event) => this.dragged(event));
    panel.addEventListener("click", (event) => {
      const button = event.target.closest("[data-insert]");
      if (button) insert(button.dataset.insert);
    });
  }

  dragged(event) {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    this.form.classList.toggle("is-dropping", event.type === "dragover");
    if (event.type === "drop") this.upload([...event.dataTransfer.files]);
  }

  // Stores files one after the other, and returns the names of those that are stored.
  async upload(files) {
    const folder = this.form.elements.folder.value.trim().replace(/^\/+|\/+$/g, "");
    const stored = [];
    for (const file of files) {
      const name = folder ? `${folder}/${file.name}` : file.name;
      if (await this.store(name, file)) stored.push(name);
    }
    if (stored.length) document.body.dispatchEvent(new Event("assets-changed"));
    return stored;
  }

  async store(name, file) {
    const where = `${this.api}/asset/${address(name)}`;
    const there = await fetch(where, { headers: headers() }).catch(() => null);
    if (there?.ok && !confirm(filled(this.form.dataset.replace, { name }))) return false;
    const line = this.line(name);
    const answer = await send(where, file, (done) => (line.progress.value = done));
    const wrong = answer && !answer.ok ? (await problems(answer)).list.map(({ message }) => message).join(" ") : "";
    const { stored, lost } = this.form.dataset;
    line.progress.remove();
    line.said.textContent = answer?.ok ? stored : wrong || lost;
    line.said.className = answer?.ok ? "under" : "problem";
    if (answer?.ok) line.entry.append(this.inserter(name));
    return Boolean(answer?.ok);
  }

  line(name) {
    const entry = document.createElement("li");
    const progress = Object.assign(document.createElement("progress"), { max: 1, value: 0, ariaLabel: name });
    const said = document.createElement("span");
    entry.append(name, " ", progress, said);
    this.list.prepend(entry);
    return { entry, progress, said };
  }

  inserter(name) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "btn btn-sm" });
    button.textContent = `${this.form.dataset.insert} asset:${name}`;
    button.dataset.insert = `asset:${name}`;
    return button;
  }
}

// Only the older way of asking tells how much of a body has gone out.
function send(where, file, progressed) {
  return new Promise((done) => {
    const request = new XMLHttpRequest();
    request.open("PUT", where);
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", ({ loaded, total }) => progressed(total ? loaded / total : 0));
    request.addEventListener("load", () => done(new Response(request.responseText, { status: request.status })));
    request.addEventListener("error", () => done(null));
    request.send(file);
  });
}
