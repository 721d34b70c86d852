/* Keys of the pages. "?" lists them. Single letters can be switched off, because speech and tremor may press them. */
(() => {
  const OFF = "consoleKeysOff";
  // What the session remembers of the row that was opened, to come back to it.
  const OPENED = "openedRow";
  const PAGES = {
    o: ["/"],
    a: ["/accounts/"],
    c: ["/connections/"],
    r: ["/renewals/"],
    t: ["/activity/", "/history/"],
    p: ["/operations/"],
  };
  const SEQUENCE_MILLISECONDS = 1500;
  let goesAt = Number.NEGATIVE_INFINITY;
  // Whether the next list that arrives takes the focus.
  let entersList = false;

  function isOff() {
    return localStorage.getItem(OFF) === "1";
  }

  function showKeys() {
    const template = document.getElementById("keys");
    const dialog = document.getElementById("dialog");
    if (!template || dialog.open) return;
    dialog.replaceChildren(template.content.cloneNode(true));
    dialog.querySelector("[data-keys-on]").checked = !isOff();
    dialog.showModal();
  }

  function rowLinks() {
    return [...document.querySelectorAll("[data-item] a.c-name")];
  }

  function moveTo(step) {
    const links = rowLinks();
    if (!links.length) return;
    const here = links.findIndex((link) => link.closest("[data-item]").contains(document.activeElement));
    const next = here < 0 ? 0 : here + step;
    links[Math.min(links.length - 1, Math.max(0, next))].focus();
  }

  function enterList() {
    const links = rowLinks();
    if (links.length === 1) links[0].click();
    else links[0]?.focus();
  }

  function openFilters() {
    const filter = document.getElementById("filter");
    if (!filter) return;
    filter.open = true;
    filter.querySelector(".c-pop__panel :is(input:not([type=hidden]), a, summary)")?.focus();
  }

  // The choices of a filter stand in the page as the address says, so the address is mended too.
  function closeChoices() {
    const panel = document.querySelector("[data-filter]");
    if (!panel) return false;
    const name = panel.parentElement.querySelector("summary, a");
    panel.remove();
    name?.focus();
    const address = new URL(location);
    address.searchParams.delete("filter");
    history.replaceState(history.state, "", address);
    return true;
  }

  function isInPopover(element) {
    return element.closest("[data-filter], details.c-pop") !== null;
  }

  function closePopover() {
    if (closeChoices()) return true;
    const open = document.querySelector("details.c-pop[open]");
    if (!open) return false;
    open.open = false;
    open.querySelector("summary").focus();
    return true;
  }

  function goBack() {
    const opened = JSON.parse(sessionStorage.getItem(OPENED) || "null");
    if (opened?.page !== location.pathname) return;
    sessionStorage.setItem(OPENED, JSON.stringify({ ...opened, returns: true }));
    location.assign(opened.list);
  }

  function leave() {
    if (closePopover()) return;
    if (document.getElementById("list")) document.dispatchEvent(new CustomEvent("selection:clear"));
    else goBack();
  }

  function go(key) {
    for (const address of PAGES[key] || []) {
      const link = document.querySelector(`#nav-sidebar a[href="${address}"]`);
      if (link) return () => link.click();
    }
    return null;
  }

  function selectRow(item, isRange) {
    const box = item.querySelector("input[data-select]");
    if (!box) return;
    if (isRange) document.dispatchEvent(new CustomEvent("selection:range", { detail: { box } }));
    else box.click();
  }

  // What a letter does on the page of one account or connection.
  function findDeed(key) {
    const button = document.querySelector(`[data-deed="${CSS.escape(key)}"]`);
    if (button) return () => button.click();
    const field = document.getElementById({ l: "label-field", n: "note-text" }[key] ?? "");
    return field && (() => field.focus());
  }

  function findLetter(key, item) {
    if (performance.now() - goesAt < SEQUENCE_MILLISECONDS) {
      goesAt = Number.NEGATIVE_INFINITY;
      const act = go(key);
      if (act) return act;
    }
    const button = document.querySelector(`#bulk[data-on] [data-key="${CSS.escape(key)}"]:not([hidden])`);
    if (button) return () => button.click();
    const deed = findDeed(key);
    if (deed) return deed;
    switch (key) {
      case "/":
        return () => document.getElementById("q")?.focus();
      case "?":
        return showKeys;
      case "j":
        return () => moveTo(1);
      case "k":
        return () => moveTo(-1);
      case "x":
        return item && (() => selectRow(item, false));
      case "X":
        return item && (() => selectRow(item, true));
      case "a":
        return () => document.dispatchEvent(new CustomEvent("selection:more"));
      case "f":
        return openFilters;
      case "g":
        return () => {
          goesAt = performance.now();
        };
      default:
        return null;
    }
  }

  function findAction(key) {
    const item = document.activeElement.closest?.("[data-item]");
    if (key === "ArrowDown" && item) return () => moveTo(1);
    if (key === "ArrowUp" && item) return () => moveTo(-1);
    if (key === "Escape") return leave;
    return key.length === 1 && !isOff() ? findLetter(key, item) : null;
  }

  function leaveSearch(event) {
    if (event.key !== "Enter" && event.key !== "ArrowDown") return;
    event.preventDefault();
    const list = document.getElementById("list");
    if (event.key === "ArrowDown") moveTo(0);
    else if ((list?.dataset.search ?? "") === event.target.value) enterList();
    else {
      entersList = true;
      htmx.trigger(event.target.form, "submit");
    }
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (event.target.id === "q" && !event.isComposing) return leaveSearch(event);
    if (event.target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]")) {
      // The browser empties a search field by Escape.
      if (event.key === "Escape" && !event.isComposing && !event.target.value && isInPopover(event.target))
        closePopover();
      return;
    }
    const act = findAction(event.key);
    if (!act) return;
    if (event.key !== "Escape") event.preventDefault();
    act();
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    const panel = document.querySelector("#list [data-filter]");
    if (panel) {
      document.getElementById("filter").open = false;
      if (!panel.contains(document.activeElement))
        panel.querySelector("input:not([type=hidden]), li a")?.focus();
    }
    if (event.detail.target.id !== "list" || !entersList) return;
    entersList = false;
    enterList();
  });
  document.addEventListener("click", (event) => {
    const { target } = event;
    if (target.closest?.("[data-keys]")) showKeys();
    const item = target.closest?.("[data-item]");
    // The whole row opens.
    if (item && !event.defaultPrevented && !target.closest("a, button, label, input, summary, form")) {
      if (!getSelection().toString()) item.querySelector("a.c-name")?.click();
    }
    const link = target.closest?.("[data-item] a.c-name");
    if (link) {
      const opened = { page: link.pathname, list: location.pathname + location.search };
      sessionStorage.setItem(OPENED, JSON.stringify(opened));
    }
  });
  document.addEventListener("change", (event) => {
    if (!event.target.matches?.("[data-keys-on]")) return;
    if (event.target.checked) localStorage.removeItem(OFF);
    else localStorage.setItem(OFF, "1");
  });
  document.addEventListener("pointerdown", (event) => {
    for (const open of document.querySelectorAll("details.c-pop[open], details.c-menu[open]"))
      if (!open.contains(event.target)) open.open = false;
    const panel = document.querySelector("[data-filter]");
    if (panel && !panel.contains(event.target)) closeChoices();
  });
  document.addEventListener("input", (event) => {
    if (!event.target.matches?.("[data-narrows]")) return;
    const term = event.target.value.trim().toLowerCase();
    for (const choice of event.target.parentElement.querySelectorAll("li"))
      choice.hidden = !choice.textContent.toLowerCase().includes(term);
  });
  document.addEventListener("DOMContentLoaded", () => {
    const opened = JSON.parse(sessionStorage.getItem(OPENED) || "null");
    if (!opened?.returns || !document.getElementById("list")) return;
    sessionStorage.removeItem(OPENED);
    rowLinks()
      .find((link) => link.pathname === opened.page)
      ?.focus();
  });
})();
