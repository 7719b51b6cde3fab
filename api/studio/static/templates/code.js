// Editors for text: CodeMirror in the studio's colours, and what they are told of their text.
import {
  EditorState, EditorView, HighlightStyle, autocompletion, bracketMatching, closeBrackets, closeBracketsKeymap,
  completionKeymap, css, defaultKeymap, drawSelection, dropCursor, foldGutter, foldKeymap, highlightActiveLine,
  highlightActiveLineGutter, highlightSelectionMatches, highlightSpecialChars, history, historyKeymap, html,
  indentOnInput, indentWithTab, jinja, json, jsonParseLinter, keymap, lineNumbers, lintGutter, linter, searchKeymap,
  setDiagnostics, syntaxHighlighting, tags,
} from "../vendor/codemirror.js";

export { Compartment, EditorView, MergeView, unifiedMergeView } from "../vendor/codemirror.js";

const nonce = document.querySelector("meta[name=style-nonce]").content;

const looks = EditorView.theme({
  "&": { color: "var(--ink)", backgroundColor: "var(--paper)", fontSize: "0.8125rem", height: "100%" },
  ".cm-scroller": { fontFamily: 'ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace', lineHeight: "1.5" },
  ".cm-content": { caretColor: "var(--ink)" },
  ".cm-cursor": { borderLeftColor: "var(--ink)" },
  ".cm-gutters": { backgroundColor: "var(--paper)", color: "var(--quiet)", borderRight: "1px solid var(--line)" },
  ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "var(--code-line)" },
  "&.cm-focused": { outline: "none" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--code-selection)" },
  ".cm-selectionMatch": { backgroundColor: "var(--code-match)" },
  "&.cm-focused .cm-matchingBracket": { backgroundColor: "var(--code-match)", outline: "1px solid var(--quiet)" },
  ".cm-panels, .cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--ink)", borderColor: "var(--line)" },
  ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--accent)", color: "var(--accent-ink)" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--raised)", color: "var(--quiet)", borderColor: "var(--line)" },
  ".cm-changedText": { background: "var(--code-change) !important" },
  "&.cm-merge-a .cm-changedLine, .cm-deletedChunk": { backgroundColor: "var(--bad-ground)" },
  "&.cm-merge-b .cm-changedLine": { backgroundColor: "var(--good-ground)" },
  ".cm-deletedChunk": { paddingLeft: "6px" },
});
const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.controlKeyword, tags.operatorKeyword, tags.modifier], color: "var(--code-keyword)", fontWeight: "600" },
  { tag: [tags.tagName, tags.propertyName, tags.definition(tags.propertyName)], color: "var(--code-name)" },
  { tag: [tags.attributeName, tags.className, tags.labelName], color: "var(--code-attribute)" },
  { tag: [tags.string, tags.attributeValue, tags.special(tags.string)], color: "var(--code-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.unit, tags.color, tags.atom], color: "var(--code-number)" },
  { tag: [tags.variableName, tags.special(tags.variableName)], color: "var(--code-variable)" },
  { tag: [tags.comment, tags.meta, tags.documentMeta, tags.processingInstruction], color: "var(--quiet)" },
  { tag: [tags.punctuation, tags.bracket, tags.angleBracket, tags.brace], color: "var(--quiet)" },
]);

// A text for people, of a page, in the language of the author's template engine.
export const languages = {
  content: (engine) => (engine === "jinja" ? jinja({ base: html() }) : html()),
  css: () => css(),
  json: () => [json(), linter(jsonParseLinter())],
};

// What every editor has, also one that only shows.
export const shown = [
  EditorView.cspNonce.of(nonce), looks, syntaxHighlighting(colours), lineNumbers(), highlightSpecialChars(),
  drawSelection(), EditorView.lineWrapping, keymap.of(searchKeymap), highlightSelectionMatches(),
];

export const writable = [
  history(), foldGutter(), dropCursor(), indentOnInput(), bracketMatching(), closeBrackets(), autocompletion(),
  highlightActiveLine(), highlightActiveLineGutter(), lintGutter(),
  // Escape and then Tab leaves the editor.
  keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, ...foldKeymap, ...completionKeymap, indentWithTab]),
];

export const readOnly = [EditorState.readOnly.of(true), EditorView.editable.of(false)];

// A read-only editor is reached by keyboard, too: its text may be longer than what is seen of it.
export const named = (label) => EditorView.contentAttributes.of({ "aria-label": label, tabindex: "0" });

export function editor({ parent, text = "", label, language, changed = () => {}, extensions = [] }) {
  const told = EditorView.updateListener.of((update) => update.docChanged && changed(update));
  return new EditorView({
    parent,
    doc: text,
    extensions: [shown, writable, named(label), language, told, extensions],
  });
}

export function put(view, text) {
  if (view.state.doc.toString() === text) return;
  view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
}

// Marks lines, counted from 1; one that the text no longer has is its last.
export function mark(view, marks) {
  const { doc } = view.state;
  const found = marks.map(({ line: number, message, severity = "error" }) => {
    const line = doc.line(Math.min(Math.max(number, 1), doc.lines));
    return { from: line.from, to: line.to, message, severity };
  });
  view.dispatch(setDiagnostics(view.state, found));
}
