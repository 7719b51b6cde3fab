// The form of a schedule: rhythms that write the cron line, and the time zones that this browser knows.

const zones = () => [...new Set(["UTC", ...Intl.supportedValuesOf("timeZone")])];

// Once for each form that comes into the page: also for the one that comes back with what was refused.
function begin() {
  const rhythm = document.querySelector("[data-rhythm]");
  if (!rhythm || !rhythm.hidden) return;
  rhythm.hidden = false;
  const zone = document.getElementById("field-timezone");
  document.getElementById("time-zones").replaceChildren(...zones().map((name) => new Option(name)));
  if (!zone.value) {
    zone.value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
    zone.dispatchEvent(new Event("input", { bubbles: true }));
  }
  const pattern = rhythm.querySelector("select");
  const time = rhythm.querySelector("input");
  const line = document.getElementById("field-cron");
  rhythm.addEventListener("input", () => {
    if (!pattern.value || !time.value) return;
    const [hour, minute] = time.value.split(":").map(Number);
    line.value = pattern.value.replace("{minute}", minute).replace("{hour}", hour);
    line.dispatchEvent(new Event("input", { bubbles: true }));
  });
  line.addEventListener("input", (event) => {
    // Whoever writes the line has left the rhythm.
    if (event.isTrusted) pattern.value = "";
  });
}

document.addEventListener("htmx:after:swap", begin);
begin();
