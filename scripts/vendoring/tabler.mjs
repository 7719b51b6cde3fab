// Tabler's style sheet, without what no page of the studio uses: a browser reads all of a style sheet before it shows
// anything. Writes the sheet, and the names of the classes that were left out, which a test holds against the pages.
import { writeFileSync } from "node:fs";
import { PurgeCSS } from "purgecss";

const [studio, sheet, leftOut] = process.argv.slice(2);
// What the pages say; a class that only stands beside others in the sheet may be among it, and be left out all the same.
const words = new Set();
const wordsOf = (text) => text.match(/[\w-]+/g)?.map((word) => (words.add(word), word)) ?? [];
const [purged] = await new PurgeCSS().purge({
  content: ["pages/**/*.html", "static/*.js", "static/templates/*.js", "*.py"].map((files) => `${studio}/${files}`),
  css: ["node_modules/@tabler/core/dist/css/tabler.min.css"],
  defaultExtractor: wordsOf,
  fontFace: true,
  keyframes: true,
  variables: true,
  rejected: true,
});
writeFileSync(sheet, purged.css.replace(/\n?\/\*# sourceMappingURL.*\*\//, ""));
const kept = new Set(classesOf(purged.css));
const names = [...new Set(purged.rejected.flatMap(classesOf))].filter((name) => !kept.has(name) && !words.has(name));
writeFileSync(leftOut, `${names.sort().join("\n")}\n`);

function classesOf(text) {
  return [...text.matchAll(/\.(-?[A-Za-z_][\w-]*)/g)].map(([, name]) => name);
}
