// A template as its page holds it, all of it as texts; as a body for the API; and what of it was not saved yet.
import { typed, write } from "./json-text.js";

const SAVE_MS = 400;
const MONTH_MS = 30 * 24 * 3600 * 1000;
const PREFIX = "pressroom.draft.";

// The body of a request that saves or shows it. What names a template, and which version it is, is no field of it.
export function bodyOf({ id, version, ...draft }) {
  const parameters = draft.parameters.map((one) => ({
    ...described(one),
    required: Boolean(one.required),
    default: typed(one.default, one.type),
    example: typed(one.example, one.type),
  }));
  return write({
    ...draft,
    sampleData: draft.sampleData.trim() ? draft.sampleData : null,
    parameters,
    fields: draft.fields.map(described),
  });
}

const described = ({ name, type, description }) => ({ name, type, description: description || null });

// Whether two say the same, however their rows came about.
export const same = (one, other) => bodyOf(one) === bodyOf(other);

// Work that is not saved, kept in this browser: for each page that was opened its own, so that two tabs do not write
// over each other. Its name tells the template, the version that it began with, and the page.
export class Unsaved {
  constructor(id, version) {
    Object.assign(this, { id, page: Date.now().toString(36), timer: 0 });
    this.began(version);
  }

  began(version) {
    this.key = `${PREFIX}${this.id}@${version}.${this.page}`;
  }

  keep(draft) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.write(draft), SAVE_MS);
  }

  write(draft) {
    try {
      localStorage.setItem(this.key, JSON.stringify({ at: Date.now(), draft }));
    } catch {
      // There is no room: leaving the page warns all the same.
    }
  }

  forget() {
    clearTimeout(this.timer);
    localStorage.removeItem(this.key);
  }

  // The newest of what earlier pages left behind, with its key; null when there is none.
  left() {
    let newest = null;
    for (const key of Object.keys(localStorage)) {
      if (!key.startsWith(PREFIX)) continue;
      const kept = JSON.parse(localStorage.getItem(key));
      if (kept.at < Date.now() - MONTH_MS) localStorage.removeItem(key);
      else if (key.startsWith(`${PREFIX}${this.id}@`) && kept.at > (newest?.at ?? 0)) {
        newest = { ...kept, key, version: Number(key.split("@").pop().split(".")[0]) };
      }
    }
    return newest;
  }

  // Decided upon: everything that earlier pages left of this template goes.
  clear() {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(`${PREFIX}${this.id}@`) && key !== this.key) localStorage.removeItem(key);
    }
  }
}
