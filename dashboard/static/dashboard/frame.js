/* Makes the frame of unfold 0.91.0 accessible: its controls are spans and divs without role, name or keys.
   It finds them by their ids, classes and Alpine attributes, which another version of unfold may change.
   A test fails when another version is installed: then look here and at unfold.css, run tests/browser, and change
   the version in the files that it names. */
(() => {
  const LATE_CONTROLS_MILLISECONDS = 100;
  // The modal is hidden until Alpine has shown it.
  const MODAL_SHOWN_MILLISECONDS = 60;

  function makeButton(element, name) {
    element.setAttribute("role", "button");
    element.tabIndex = 0;
    if (name) element.setAttribute("aria-label", name);
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      element.click();
    });
  }

  function markLandmark(selector, role, name) {
    for (const element of document.querySelectorAll(selector)) {
      element.setAttribute("role", role);
      if (name) element.setAttribute("aria-label", name);
    }
  }

  function nameControls() {
    const content = document.getElementById("content");
    markLandmark(content ? "#content" : "#page", "main");
    const header = document.getElementById("header-inner")?.parentElement?.parentElement;
    header?.setAttribute("role", "banner");
    for (const icon of document.querySelectorAll(".material-symbols-outlined")) {
      if (!icon.getAttribute("x-on:click")) icon.setAttribute("aria-hidden", "true");
    }
    const named = [
      ["[x-on\\:click*='sidebarDesktopOpen = ']", "Show or hide the menu"],
      ["[x-on\\:click*='sidebarMobileOpen = ']", "Menu"],
      ["[x-on\\:click*='openUserLinks = !']", "Account and theme"],
      ["[x-on\\:click*='opencommand']", "Search the console"],
      ["[x-on\\:click*='switchTheme']", null],
      ["[x-on\\:click*='openModal = false']:not(#modal-content)", "Close"],
    ];
    for (const [selector, name] of named) {
      for (const element of document.querySelectorAll(selector)) {
        const visible = element.textContent.trim() && !element.matches(".material-symbols-outlined");
        if (!element.matches("a[href], button")) makeButton(element, visible ? null : name);
      }
    }
    // Three dots on a phone, for the actions on one row.
    for (const link of document.querySelectorAll("a[x-on\\:click*='showActions = !']"))
      link.setAttribute("aria-label", "Actions");
    document.querySelector("#nav-sidebar-inner")?.setAttribute("aria-label", "Main");
    for (const link of document.querySelectorAll("#nav-sidebar a.active"))
      link.setAttribute("aria-current", "page");
    document.getElementById("searchbar-submit")?.setAttribute("aria-label", "Search");
    document.getElementById("command-submit")?.setAttribute("aria-label", "Search");
    const command = document.getElementById("search-input-command");
    command?.setAttribute("aria-label", "Search the console");
    command?.setAttribute("placeholder", "Account, connection, operation or page");
    markLandmark("#submit-row, .submit-row-container, #changelist-actions", "region", "Actions");
    markLandmark("[class*='lg:scrollable-top']", "region", "Pages");
    markLandmark("#main > .px-4:has(> * > ul)", "region", "Messages");
  }

  // SimpleBar and select2 build their elements after the page has loaded, without names or with one name for all.
  function nameLateControls() {
    document.querySelectorAll(".simplebar-content-wrapper").forEach((element, index) => {
      element.setAttribute("aria-label", index ? `Scrollable area ${index + 1}` : "Scrollable area");
    });
    for (const box of document.querySelectorAll(".select2-selection")) {
      const label = box.closest(".field-row, .form-row, div")?.querySelector("label");
      if (!box.getAttribute("aria-label"))
        box.setAttribute("aria-label", label?.textContent.trim() || "Choose");
    }
  }

  // Unfold's modal neither takes the focus nor gives it back.
  function watchModal() {
    const modal = document.getElementById("modal-content");
    if (!modal) return;
    let before = null;
    new MutationObserver(() => {
      modal.setAttribute("role", "dialog");
      modal.setAttribute("aria-modal", "true");
      modal.setAttribute("aria-label", modal.querySelector("h1, h2, h3")?.textContent.trim() || "Dialog");
      before ??= document.activeElement;
      setTimeout(
        () => modal.querySelector("input:not([type=hidden]), select, textarea, button, a[href]")?.focus(),
        MODAL_SHOWN_MILLISECONDS,
      );
    }).observe(modal, { childList: true });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && before) {
        before.focus?.();
        before = null;
      }
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    nameControls();
    watchModal();
  });
  window.addEventListener("load", () => setTimeout(nameLateControls, LATE_CONTROLS_MILLISECONDS));
})();
