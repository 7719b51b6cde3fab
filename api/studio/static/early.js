// What cannot wait until the page is there: its colours, and clicks that come before the scripts that serve them.

// The colours that this browser's reader chose, or those of the system.
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const chosen = localStorage.getItem("pressroom.theme") ?? "auto";
    const theme = chosen === "auto" ? (dark.matches ? "dark" : "light") : chosen;
    document.documentElement.dataset.bsTheme = theme;
    document.documentElement.style.colorScheme = theme;
  };
  dark.addEventListener("change", apply);
  addEventListener("storage", apply);
  addEventListener("pressroom:theme", apply);
  apply();
})();

// A page is seen before its scripts are there, and on a slow line long before. Whoever clicks a button by then means it.
(() => {
  const clicked = new Set();
  const hold = (event) => {
    const button = event.target.closest("button[type=button]:not([popovertarget])");
    if (!button) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    clicked.add(button);
  };
  addEventListener("click", hold, true);
  addEventListener("DOMContentLoaded", () => {
    // htmx begins with this event, too, and hears it later.
    setTimeout(() => {
      removeEventListener("click", hold, true);
      for (const button of clicked) button.click();
    });
  });
})();
