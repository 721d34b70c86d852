/* Keys of a list: / searches, arrows or j and k move, x selects, Escape clears the selection, ? lists the keys. */
(() => {
  function showKeys() {
    const template = document.getElementById("keys");
    const dialog = document.getElementById("dialog");
    if (!template || dialog.open) return;
    dialog.replaceChildren(template.content.cloneNode(true));
    dialog.showModal();
  }

  function focusSearch() {
    document.getElementById("q").focus();
  }

  function moveTo(step) {
    const links = [...document.querySelectorAll("[data-item] a.c-name")];
    if (!links.length) return;
    const here = links.findIndex((link) => link.closest("[data-item]").contains(document.activeElement));
    const next = here < 0 ? 0 : here + step;
    links[Math.min(links.length - 1, Math.max(0, next))].focus();
  }

  function findAction(key) {
    const item = document.activeElement.closest?.("[data-item]");
    if (key === "/" && document.getElementById("q")) return focusSearch;
    if (key === "?" && document.getElementById("keys")) return showKeys;
    if (key === "j" || (key === "ArrowDown" && item)) return () => moveTo(1);
    if (key === "k" || (key === "ArrowUp" && item)) return () => moveTo(-1);
    if (key === "x" && item) return () => item.querySelector("input[data-select]")?.click();
    if (key === "Escape") return () => document.dispatchEvent(new CustomEvent("selection:clear"));
    return null;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]")) return;
    const act = findAction(event.key);
    if (!act) return;
    if (event.key !== "Escape") event.preventDefault();
    act();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-keys]")) showKeys();
  });
})();
