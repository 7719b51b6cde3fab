// Saving a template as its next version, and what happens when somebody else saved one first.
import { ask, filled, problems } from "./asking.js";
import { MergeView, languages, named, readOnly, shown, writable } from "./code.js";
import { bodyOf, same } from "./drafts.js";

const STALE = 412;
const UNKNOWN = 401;

// Saves a draft over one version. Returns what became of it: the answer's data and warnings, or what is wrong.
export async function save(root, draft, version) {
  const { api, lost, signedOut } = root.dataset;
  let answer;
  try {
    const headers = { "If-Match": `"${version}"` };
    answer = await ask("PATCH", `${api}/report-config/${draft.id}`, { json: bodyOf(draft), headers });
  } catch {
    return { problems: [{ message: lost, field: null }] };
  }
  if (answer.status === STALE) return { stale: true };
  if (answer.status === UNKNOWN) return { problems: [{ message: signedOut, field: null }] };
  if (!answer.ok) return { problems: (await problems(answer)).list };
  const { data, meta } = await answer.json();
  return { version: data.version, name: data.name, warnings: meta.warnings ?? [] };
}

// The dialog that shows what another one saved meanwhile.
export class Conflict {
  // settled: hears the decision: {theirs} or {mine, version}.
  constructor(root, settled) {
    Object.assign(this, { root, settled });
    this.dialog = document.getElementById("conflict");
    this.about = this.dialog.querySelector("#conflict-about");
    this.difference = this.dialog.querySelector(".conflict-difference");
    const on = (id, does) => this.dialog.querySelector(id).addEventListener("click", does);
    on("#conflict-show", () => this.compare());
    on("#conflict-theirs", () => this.decide({ theirs: this.theirs }));
    on("#conflict-mine", () => this.decide({ mine: this.merged(), version: this.theirs.version }));
    on("[data-close-conflict]", () => this.dialog.close());
    this.dialog.addEventListener("close", () => this.forget());
  }

  async open(mine, version) {
    this.mine = mine;
    const { api, state, lost } = this.root.dataset;
    try {
      const versions = fetch(`${api}/report-config/${mine.id}/version?pageSize=1`, { headers: { Accept: "application/json" } });
      this.theirs = await (await fetch(state)).json();
      const [newest] = (await (await versions).json()).data;
      this.tell(newest, version);
    } catch {
      return { problems: [{ message: lost, field: null }] };
    }
    const others = this.dialog.querySelector("#conflict-others");
    others.hidden = same({ ...this.theirs, content: "" }, { ...mine, content: "" });
    this.dialog.showModal();
    return {};
  }

  tell({ number, creationDate, createdBy }, version) {
    const { text, textBy } = this.about.dataset;
    const when = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
    this.about.textContent = filled(createdBy ? textBy : text, {
      newest: number,
      version,
      when: when.format(new Date(creationDate)),
      name: createdBy?.replace("token:", ""),
    });
  }

  compare() {
    if (this.merge) return;
    this.difference.hidden = false;
    const host = this.dialog.querySelector("#conflict-merge");
    const language = languages.content(this.mine.engine);
    const [theirs, mine] = host.previousElementSibling.children;
    this.merge = new MergeView({
      parent: host,
      a: { doc: this.theirs.content, extensions: [shown, readOnly, language, named(theirs.textContent)] },
      b: { doc: this.mine.content, extensions: [shown, writable, language, named(mine.textContent)] },
      collapseUnchanged: { margin: 3, minSize: 6 },
      revertControls: "a-to-b",
    });
  }

  merged() {
    return this.merge ? { ...this.mine, content: this.merge.b.state.doc.toString() } : this.mine;
  }

  decide(decision) {
    this.dialog.close();
    this.settled(decision);
  }

  forget() {
    this.merge?.destroy();
    this.merge = null;
    this.difference.hidden = true;
  }
}
