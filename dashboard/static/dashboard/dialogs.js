/* The one dialog of a page, which htmx fills, and the toasts in its corner. */
(() => {
  const TOAST_SECONDS = 8;

  function toast(text) {
    const place = document.getElementById("toasts");
    if (!place || !text) return;
    const note = document.createElement("div");
    note.className = "c-toast";
    note.textContent = text;
    place.append(note);
    setTimeout(() => note.remove(), TOAST_SECONDS * 1000);
  }

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    if (!event.target.matches?.("dialog textarea[data-enter]")) return;
    event.preventDefault();
    event.target.form.requestSubmit();
  });
  document.addEventListener("toast", (event) => toast(event.detail?.value));
  document.addEventListener("htmx:afterSwap", (event) => {
    const dialog = event.detail.target;
    if (dialog.id === "dialog" && !dialog.open && dialog.childElementCount) dialog.showModal();
  });
  document.addEventListener("click", (event) => {
    const closer = event.target.closest?.("[data-close-dialog]");
    const dialog = closer?.closest("dialog");
    if (!dialog) return;
    event.preventDefault();
    dialog.close();
  });
})();
