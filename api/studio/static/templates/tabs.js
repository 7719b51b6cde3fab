// Tabs as WAI-ARIA has them: one is in the order of the keyboard, the arrows lead to the others.
const NARROW = matchMedia("(max-width: 61.99rem)");

export class Tabs {
  constructor(root, shown) {
    this.root = root;
    this.shown = shown;
    this.tabs = [...root.querySelectorAll("[role=tab]")];
    this.panels = new Map(this.tabs.map((tab) => [tab, document.getElementById(tab.getAttribute("aria-controls"))]));
    const list = root.querySelector("[role=tablist]");
    list.addEventListener("click", (event) => {
      const tab = event.target.closest("[role=tab]");
      if (tab) this.choose(tab);
    });
    list.addEventListener("keydown", (event) => this.moved(event));
    // On a wide screen the preview stands beside the tabs, and is none of them.
    NARROW.addEventListener("change", () => this.fit());
    this.fit();
  }

  fit() {
    if (!NARROW.matches && this.root.dataset.tab === "preview") this.open("content");
    this.panels.get(this.tab("preview")).hidden = NARROW.matches && this.root.dataset.tab !== "preview";
  }

  tab(name) {
    return this.tabs.find((tab) => tab.id === `tab-${name}`);
  }

  open(name) {
    this.choose(this.tab(name));
  }

  choose(chosen) {
    for (const tab of this.tabs) {
      tab.setAttribute("aria-selected", tab === chosen);
      tab.tabIndex = tab === chosen ? 0 : -1;
      this.panels.get(tab).hidden = tab !== chosen;
    }
    this.root.dataset.tab = chosen.id.replace("tab-", "");
    this.panels.get(this.tab("preview")).hidden = NARROW.matches && this.root.dataset.tab !== "preview";
    this.shown(this.root.dataset.tab);
  }

  // A tab in which something is wrong says so.
  flag(names) {
    for (const tab of this.tabs) tab.classList.toggle("has-problem", names.includes(tab.id.replace("tab-", "")));
  }

  moved(event) {
    const seen = this.tabs.filter((tab) => tab.checkVisibility());
    const at = seen.indexOf(event.target);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: seen.length - 1 }[event.key];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    const tab = seen[(next + seen.length) % seen.length];
    this.choose(tab);
    tab.focus();
  }
}
