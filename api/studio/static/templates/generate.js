// The form that makes a document: its data as rows or as JSON, and what is asked only of those who print.
import "./data-editor.js";

const toPrint = (form) => {
  const fields = form?.querySelector(".print-too");
  if (fields) fields.hidden = fields.disabled = !form.querySelector("#print-too").checked;
};

toPrint(document.getElementById("order"));
document.addEventListener("change", (event) => event.target.id === "print-too" && toPrint(event.target.form));
document.addEventListener("htmx:after:swap", () => {
  const form = document.getElementById("order");
  toPrint(form);
  form?.querySelector("[aria-invalid]")?.focus();
});
