/* The selected accounts or connections of the list: some by their ids, or all that match the query of the list. */
(() => {
  // The ids, each with whether it can be connected again.
  const selected = new Map();
  // When all of a list are selected: its query, their number, and whether some are inactive.
  let allOf = null;
  // Whether a box was cleared after all that match were selected, so that only this page is left.
  let fellBack = false;
  let shownQuery = null;

  function listBoxes() {
    return [...document.querySelectorAll("input[data-select]")];
  }

  function paintBoxes() {
    const boxes = listBoxes();
    for (const box of boxes) {
      box.checked = allOf !== null || selected.has(box.value);
      box.closest("[data-item]")?.classList.toggle("c-card--selected", box.checked);
    }
    const whole = document.getElementById("select-page");
    if (whole) {
      whole.checked = boxes.length > 0 && boxes.every((box) => box.checked);
      whole.indeterminate = !whole.checked && boxes.some((box) => box.checked);
    }
  }

  function paintBar(bar) {
    const list = document.getElementById("list");
    const count = allOf ? allOf.total : selected.size.toLocaleString("en");
    const noun = count === "1" ? bar.dataset.noun : `${bar.dataset.noun}s`;
    bar.toggleAttribute("data-on", allOf !== null || selected.size > 0);
    bar.querySelector("[data-count]").textContent =
      `${count} ${noun} selected${fellBack ? ", of this page only" : ""}`;

    const total = list?.dataset.totalText || "";
    const isWhole = selected.size >= Number(list?.dataset.total || Number.POSITIVE_INFINITY);
    const all = bar.querySelector("[data-select-all]");
    all.hidden = allOf !== null || !total || listBoxes().length === 0 || isWhole;
    all.textContent = `Select all ${total} that match`;

    const reconnect = bar.querySelector("[value=reconnect]");
    if (reconnect) reconnect.hidden = allOf ? !allOf.someInactive : ![...selected.values()].some(Boolean);

    bar.querySelector("[data-ids]").value = allOf ? "" : [...selected.keys()].join(",");
    bar.querySelector("[name=all]").value = allOf ? "1" : "";
    bar.querySelector("[name=query]").value = allOf ? allOf.query : "";
  }

  function paint() {
    const bar = document.getElementById("bulk");
    if (!bar) return;
    paintBoxes();
    paintBar(bar);
  }

  function readBox(box) {
    if (box.checked) selected.set(box.value, "disconnected" in box.dataset);
    else selected.delete(box.value);
  }

  function clear() {
    selected.clear();
    allOf = null;
    fellBack = false;
    paint();
  }

  function selectAll() {
    const { query, totalText, inactive } = document.getElementById("list").dataset;
    clear();
    allOf = { query, total: totalText, someInactive: inactive !== undefined };
    paint();
  }

  // Another page or order of the list keeps the selection. Another filter or search ends it.
  function followList() {
    const query = document.getElementById("list")?.dataset.query;
    fellBack = false;
    if (query !== shownQuery) clear();
    shownQuery = query;
    paint();
  }

  document.addEventListener("change", (event) => {
    const box = event.target;
    if (!box.matches?.("input[data-select], #select-page")) return;
    const isWhole = box.id === "select-page";
    if (isWhole) for (const each of listBoxes()) each.checked = box.checked;
    if (allOf && !box.checked) {
      selected.clear();
      allOf = null;
      fellBack = !isWhole;
    }
    listBoxes().forEach(readBox);
    paint();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest?.("[data-select-all]")) selectAll();
    if (event.target.closest?.("[data-select-none]")) clear();
  });
  document.addEventListener("selection:clear", clear);
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "list") followList();
  });
  document.addEventListener("DOMContentLoaded", followList);
})();
