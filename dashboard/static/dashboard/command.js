/* Ctrl+K: Enter opens the first thing that was found, also when it is pressed before the answer has come. */
(() => {
  let opensFirst = false;
  let answered = "";

  function openFirst() {
    const link = document.querySelector("#command-results-list a");
    if (link) location.assign(link.href);
  }

  document.addEventListener(
    "keydown",
    (event) => {
      if (event.target.id !== "search-input-command" || event.key !== "Enter" || event.isComposing) return;
      // What an arrow has chosen is opened by unfold.
      if (document.querySelector("#command-results-list li.active")) return;
      event.preventDefault();
      event.stopPropagation();
      if (event.target.value.trim() === answered) openFirst();
      else opensFirst = true;
    },
    true,
  );
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.elt.id !== "search-input-command") return;
    answered = new URL(event.detail.xhr.responseURL).searchParams.get("s")?.trim() ?? "";
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id !== "command-results" || !opensFirst) return;
    opensFirst = false;
    openFirst();
  });
  document.addEventListener("input", (event) => {
    if (event.target.id === "search-input-command") opensFirst = false;
  });
  document.addEventListener("DOMContentLoaded", () => {
    const box = document.getElementById("search-input-command")?.closest("[x-data]");
    box?.setAttribute("role", "dialog");
    box?.setAttribute("aria-modal", "true");
    box?.setAttribute("aria-label", "Search the console");
  });
})();
