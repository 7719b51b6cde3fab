// The document beside the text: made anew after a pause in typing, shown when it is there. Of two frames one is seen;
// the next document is loaded in the other, so that the last good one stays until then, and for as long as none is.
import { ask, filled, problems } from "./asking.js";

const UNKNOWN = 401;
const PAUSE_MS = 600;
const RETRY_MS = 3000;
// A frame that never says that it is loaded, as of a browser without a viewer, is shown all the same.
const LOAD_MS = 2000;
// The viewer says that it is loaded a moment before it has painted.
const PAINT_MS = 250;

export class Preview {
  // root: the part of the page; address: where documents are made; body: returns what of; marked: hears what is wrong.
  constructor(root, { address, body, marked }) {
    Object.assign(this, { root, address, body, marked, timer: 0, under: null, shownBlob: null, url: null });
    [this.front, this.back] = root.querySelectorAll("iframe");
    this.problem = root.querySelector(".preview-problem");
    this.warnings = root.querySelector(".preview-warnings");
    this.link = root.querySelector(".preview-bar a");
    this.pageNumber = root.querySelector("input[type=number]");
    this.pageNumber.addEventListener("change", () => this.shownBlob && this.show(this.shownBlob));
  }

  // Something has changed: a document is made when nothing more does for a moment.
  wish(pause = PAUSE_MS) {
    clearTimeout(this.timer);
    this.state("waiting");
    this.timer = setTimeout(() => this.make(), pause);
  }

  async make() {
    clearTimeout(this.timer);
    // Only the newest counts; the farm cancels a render whose client hangs up.
    this.under?.abort();
    const under = (this.under = new AbortController());
    this.state("busy");
    const { json, onPaper } = this.body();
    try {
      const answer = await ask("POST", this.address, { json, headers: { Accept: "*/*" }, signal: under.signal });
      if (!answer.ok) {
        const wrong = await problems(answer);
        if (this.under === under) this.failed(wrong, answer);
        return;
      }
      const blob = await answer.blob();
      if (this.under === under) this.made(blob, warningsOf(answer), onPaper);
    } catch {
      if (under.signal.aborted || this.under !== under) return;
      this.told([this.root.dataset.lost]);
      this.again(RETRY_MS);
    }
  }

  made(blob, warnings, onPaper) {
    this.told([]);
    this.marked([]);
    const said = onPaper ? [this.root.dataset.onPaper, ...warnings] : warnings;
    this.warnings.replaceChildren(...said.map(paragraph));
    this.warnings.hidden = !said.length;
    this.shownBlob = blob;
    this.show(blob);
  }

  failed({ list, line }, answer) {
    const { atLine, signedOut } = this.root.dataset;
    if (answer.status === UNKNOWN) return this.told([signedOut]);
    // The line is said in the reader's language.
    const texts = list.map(({ message }) => (line ? message.replace(/^line \d+: /, "") : message));
    this.told(line ? texts.map((message) => filled(atLine, { line, message })) : texts);
    this.marked(line ? texts.map((message) => ({ line, message })) : []);
    // The farm has much to do, or a part of it is away.
    const seconds = Number(answer.headers.get("Retry-After"));
    if (seconds) this.again(seconds * 1000);
  }

  again(milliseconds) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.make(), milliseconds);
  }

  told(texts) {
    this.problem.replaceChildren(...texts.map(paragraph));
    this.problem.hidden = !texts.length;
    this.state(texts.length ? "broken" : "busy");
  }

  async show(blob) {
    const shown = (this.showing = {});
    const { front, back } = this;
    const url = URL.createObjectURL(blob);
    back.src = `${url}#page=${this.pageNumber.value || 1}&view=FitH&toolbar=0&navpanes=0`;
    await Promise.race([new Promise((done) => back.addEventListener("load", done, { once: true })), pause(LOAD_MS)]);
    await pause(PAINT_MS);
    if (this.showing !== shown) return URL.revokeObjectURL(url);
    [this.front, this.back] = [back, front];
    for (const frame of [front, back]) {
      frame.classList.toggle("behind", frame === front);
      frame.tabIndex = frame === front ? -1 : 0;
    }
    if (this.url) URL.revokeObjectURL(this.url);
    this.url = this.link.href = url;
    this.link.hidden = false;
    this.state("shown");
  }

  state(name) {
    this.root.dataset.state = name;
    this.root.querySelector(".preview-state").textContent = this.root.dataset[name];
  }
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

function paragraph(text) {
  const made = document.createElement("p");
  made.textContent = text;
  return made;
}

// Several headers of one name come as one text, with commas between them as there are in each.
function warningsOf(answer) {
  const text = answer.headers.get("Pressroom-Warning");
  return text ? [decodeURIComponent(text)] : [];
}
