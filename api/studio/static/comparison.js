// Two pages: side by side, one over the other with a slider, or only what differs.
document.addEventListener("input", (event) => {
  const compared = event.target.closest("[data-compared]");
  if (!compared) return;
  if (event.target.type === "radio") {
    compared.dataset.compared = event.target.value;
    compared.querySelector(".compared-slider").hidden = event.target.value !== "slide";
  }
  const slider = compared.querySelector("[type=range]");
  compared.style.setProperty("--slid", `${slider.value}%`);
});
