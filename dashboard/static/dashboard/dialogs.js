/* The one dialog of a page, which htmx fills, and the toasts in its corner. */
(() => {
  const TOAST_SECONDS = 10;

  // What a person points at or has the focus in stays.
  function countDown(note) {
    let left = TOAST_SECONDS;
    const timer = setInterval(() => {
      if (note.matches(":hover, :focus-within")) return;
      left -= 1;
      if (left > 0 && note.isConnected) return;
      clearInterval(timer);
      note.remove();
    }, 1000);
  }

  function toast(text) {
    const place = document.getElementById("toasts");
    if (!place || !text) return;
    const note = document.createElement("div");
    note.className = "c-toast";
    note.textContent = text;
    place.append(note);
    countDown(note);
  }

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    if (!event.target.matches?.("dialog textarea[data-enter]")) return;
    event.preventDefault();
    event.target.form.requestSubmit();
  });
  document.addEventListener("htmx:load", (event) => {
    if (event.detail.elt.matches?.("[data-count-down]")) countDown(event.detail.elt);
  });
  document.addEventListener("list:changed", () => {
    if (!document.getElementById("list")) return;
    htmx.ajax("GET", location.pathname + location.search, { target: "#list", swap: "outerHTML" });
  });
  document.addEventListener("toast", (event) => toast(event.detail?.value));
  document.addEventListener("htmx:afterSwap", (event) => {
    const dialog = event.detail.target;
    if (dialog.id !== "dialog") return;
    if (!dialog.childElementCount) dialog.close();
    else if (!dialog.open) dialog.showModal();
  });
  document.addEventListener("click", (event) => {
    const closer = event.target.closest?.("[data-close-dialog]");
    const dialog = closer?.closest("dialog");
    if (!dialog) return;
    event.preventDefault();
    dialog.close();
  });
})();
