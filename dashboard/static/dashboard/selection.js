/* The selected accounts or connections of the list: some by their ids, or all that match the query of the list. */
(() => {
  // The ids, each with whether it can be connected again.
  const selected = new Map();
  // When all of a list are selected: its query, their number, and whether some are inactive.
  let allOf = null;
  // Whether a box was cleared after all that match were selected, so that only this page is left.
  let fellBack = false;
  // The box that was pressed last: a range begins there.
  let pressed = "";

  function listBoxes() {
    return [...document.querySelectorAll("input[data-select]")];
  }

  function isShown(id) {
    return document.querySelector(`input[data-select][value="${CSS.escape(id)}"]`) !== null;
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
    const elsewhere = allOf ? 0 : [...selected.keys()].filter((id) => !isShown(id)).length;
    const count = allOf ? allOf.total : selected.size.toLocaleString("en");
    bar.toggleAttribute("data-on", allOf !== null || selected.size > 0);
    let note = elsewhere ? `, ${elsewhere.toLocaleString("en")} not on this page` : "";
    if (fellBack) note = ", of this page only";
    bar.querySelector("[data-count]").textContent = `${count} selected${note}`;

    const total = list?.dataset.totalText || "";
    const isWhole = selected.size >= Number(list?.dataset.total || Number.POSITIVE_INFINITY);
    const all = bar.querySelector("[data-select-all]");
    all.hidden = allOf !== null || !total || listBoxes().length === 0 || isWhole;
    all.textContent = `Select all ${total}`;

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

  // What was selected by hand survives another page, order and filter. "All that match" ends with another filter.
  function followList() {
    fellBack = false;
    const query = document.getElementById("list")?.dataset.query;
    if (allOf && allOf.query !== query) clear();
    paint();
  }

  // Select what lies between the box that was pressed last and this one.
  function selectUpTo(box) {
    const boxes = listBoxes();
    const ends = [boxes.findIndex((each) => each.value === pressed), boxes.indexOf(box)];
    const first = ends[0] < 0 ? ends[1] : Math.min(...ends);
    for (const each of boxes.slice(first, Math.max(...ends) + 1)) {
      each.checked = true;
      readBox(each);
    }
    pressed = box.value;
    paint();
  }

  // The first press selects the page, the next one all that match.
  function selectMore() {
    const boxes = listBoxes();
    if (!boxes.length) return;
    if (boxes.every((box) => box.checked)) {
      if (!document.querySelector("[data-select-all]")?.hidden) selectAll();
      return;
    }
    for (const box of boxes) {
      box.checked = true;
      readBox(box);
    }
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
    if (!isWhole) pressed = box.value;
    listBoxes().forEach(readBox);
    paint();
  });
  document.addEventListener("click", (event) => {
    const box = event.target;
    if (event.shiftKey && box.matches?.("input[data-select]")) selectUpTo(box);
    if (event.target.closest?.("[data-select-all]")) selectAll();
    if (event.target.closest?.("[data-select-none]")) clear();
  });
  document.addEventListener("selection:clear", clear);
  document.addEventListener("selection:more", selectMore);
  document.addEventListener("selection:range", (event) => selectUpTo(event.detail.box));
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.detail.target.id === "list") followList();
  });
  document.addEventListener("DOMContentLoaded", followList);
})();
