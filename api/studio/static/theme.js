// Before the first paint: the colours that this browser's reader chose, or those of the system.
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
