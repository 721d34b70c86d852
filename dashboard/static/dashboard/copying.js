/* Buttons that copy the text of a field or of an element: data-copy has its id. */
(() => {
  async function copy(field) {
    if (field.select) field.select();
    else getSelection().selectAllChildren(field);
    // A page that came without TLS has no clipboard of its own.
    if (navigator.clipboard) await navigator.clipboard.writeText(field.value ?? field.textContent);
    else document.execCommand("copy");
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy]");
    const field = button && document.getElementById(button.dataset.copy);
    if (!field) return;
    try {
      await copy(field);
      document.dispatchEvent(new CustomEvent("toast", { detail: { value: "Copied." } }));
    } catch {
      // The browser forbids it. The text is selected, so that the person can copy it.
    }
  });
})();
