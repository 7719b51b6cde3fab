// JSON whose numbers stay as they are written: 92.0 does not become 92, and an order number keeps all of its digits.

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;

// A value as its JSON text.
export class Literal {
  constructor(text) {
    this.text = text;
  }
}

export function read(text) {
  return JSON.parse(text, (key, value, context) =>
    typeof value === "number" && context && context.source !== String(value) ? new Literal(context.source) : value,
  );
}

export function write(value, indent = "", before = "") {
  if (value instanceof Literal) return value.text;
  if (value === null || typeof value !== "object") return JSON.stringify(value) ?? "null";
  const isList = Array.isArray(value);
  const parts = isList
    ? value.map((one) => write(one, indent, before + indent))
    : Object.entries(value)
        .filter(([, one]) => one !== undefined)
        .map(([name, one]) => `${JSON.stringify(name)}:${indent && " "}${write(one, indent, before + indent)}`);
  const [open, close] = isList ? "[]" : "{}";
  if (!parts.length) return open + close;
  if (!indent) return open + parts.join(",") + close;
  return `${open}\n${before + indent}${parts.join(`,\n${before + indent}`)}\n${before}${close}`;
}

// What was typed for a value of some type. What does not fit stays a text: the API says what was expected instead.
export function typed(text, type) {
  if (text === "") return null;
  switch (type) {
    case "number":
    case "integer":
      return NUMBER.test(text.trim()) ? new Literal(text.trim()) : text;
    case "boolean":
      return { true: true, false: false }[text.trim()] ?? text;
    case "array":
    case "object":
      try {
        return read(text);
      } catch {
        return text;
      }
    default:
      return text;
  }
}
