/* The console's own script: no framework, no inline code. Everything it adds is an extra: pages read, filter and post without it. */
"use strict";

/* --- Before the first paint: the theme, which Alpine would set late ---------------------------------------- */

(function theme() {
  let choice = "auto";
  try { choice = JSON.parse(localStorage.getItem("adminTheme")) || "auto"; } catch { /* not JSON: auto */ }
  const dark = choice === "dark" || (choice === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.classList.toggle("dark", dark);
})();

/* Nothing is evaluated, no page is kept in the browser's storage, no other host is asked. */
Object.assign(htmx.config, {
  allowEval: false, includeIndicatorStyles: false, historyCacheSize: 0, refreshOnHistoryMiss: true,
  allowScriptTags: false, scrollIntoViewOnBoost: false, selfRequestsOnly: true, timeout: 15000,
});

/* --- Times: the server writes UTC, people read their own zone ----------------------------------------------- */

const exact = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
});
const dateOnly = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

function span(seconds) {
  const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60), days = Math.floor(hours / 24);
  if (days >= 1) return days === 1 ? "1 day" : `${days} days`;
  if (hours >= 1) return hours < 10 && minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${minutes} min`;
}

function relative(moment) {
  const seconds = (Date.now() - moment.getTime()) / 1000;
  if (Math.abs(seconds) < 60) return seconds < 0 ? "in less than a minute" : "just now";
  if (Math.abs(seconds) >= 7 * 86400) return dateOnly.format(moment);
  return seconds < 0 ? `in ${span(-seconds)}` : `${span(seconds)} ago`;
}

function writeTimes(root = document) {
  for (const element of root.querySelectorAll("time[datetime][data-as]")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    const as = element.dataset.as;
    element.textContent = as === "clock" ? clock.format(moment) : as === "date" ? dateOnly.format(moment) : relative(moment);
    element.title = exact.format(moment);
  }
}

/* --- Selection: ids, or all that match the query that was shown ------------------------------------------- */

const selected = new Map(); // ids, and whether the account was disconnected here
let allOf = null; // of the list of which all accounts are selected: its query, its number, whether some are inactive
let fellBack = false; // from all that match to this page, by a box that was cleared
let shownQuery = null;

function selectionBar() { return document.getElementById("bulk"); }

function selectBoxes() { return [...document.querySelectorAll("input[data-select]")]; }

function paintSelection() {
  const bar = selectionBar();
  if (!bar) return;
  const list = document.getElementById("list");
  const boxes = selectBoxes();
  for (const box of boxes) {
    box.checked = allOf !== null || selected.has(box.value);
    box.closest("[data-item]")?.classList.toggle("c-card--selected", box.checked);
  }
  const whole = document.getElementById("select-page");
  if (whole) {
    whole.checked = boxes.length > 0 && boxes.every((box) => box.checked);
    whole.indeterminate = !whole.checked && boxes.some((box) => box.checked);
  }
  const count = allOf ? allOf.total : selected.size.toLocaleString("en");
  const one = count === "1";
  bar.toggleAttribute("data-on", allOf !== null || selected.size > 0);
  bar.querySelector("[data-count]").textContent =
    `${count} ${one ? "account" : "accounts"} selected${fellBack ? ", of this page only" : ""}`;
  const total = list?.dataset.totalText || "";
  const all = bar.querySelector("[data-select-all]");
  all.hidden = allOf !== null || !total || boxes.length === 0 || (selected.size >= Number(list?.dataset.total || Infinity));
  all.textContent = `Select all ${total} that match`;
  const reconnect = bar.querySelector("[value=reconnect]");
  if (reconnect) reconnect.hidden = allOf ? !allOf.someInactive : ![...selected.values()].some(Boolean);
  bar.querySelector("[name=account_ids]").value = allOf ? "" : [...selected.keys()].join(",");
  bar.querySelector("[name=all]").value = allOf ? "1" : "";
  bar.querySelector("[name=query]").value = allOf ? allOf.query : "";
}

function select(box) {
  if (box.checked) selected.set(box.value, "disconnected" in box.dataset); else selected.delete(box.value);
}

function clearSelection() {
  selected.clear();
  allOf = null;
  fellBack = false;
  paintSelection();
}

function selectAll() {
  const { query, totalText, inactive } = document.getElementById("list").dataset;
  clearSelection();
  allOf = { query, total: totalText, someInactive: inactive !== undefined };
  paintSelection();
}

/* Other pages and orders of the list keep the selection, another filter or search ends it. */
function followList() {
  const query = document.getElementById("list")?.dataset.query;
  fellBack = false;
  if (query !== shownQuery) clearSelection();
  shownQuery = query;
  paintSelection();
}

document.addEventListener("change", (event) => {
  const box = event.target;
  if (!box.matches?.("input[data-select], #select-page")) return;
  const whole = box.id === "select-page";
  if (whole) for (const each of selectBoxes()) each.checked = box.checked;
  if (allOf && !box.checked) {
    selected.clear();
    allOf = null;
    fellBack = !whole;
  }
  selectBoxes().forEach(select);
  paintSelection();
});

document.addEventListener("click", (event) => {
  const target = event.target.closest?.("[data-select-all], [data-select-none], [data-close-dialog], [data-keys]");
  if (!target) return;
  if (target.matches("[data-select-all]")) selectAll();
  if (target.matches("[data-select-none]")) clearSelection();
  if (target.matches("[data-close-dialog]")) { event.preventDefault(); target.closest("dialog").close(); }
  if (target.matches("[data-keys]")) showKeys();
});

/* --- Dialogs, toasts --------------------------------------------------------------------------------------- */

function dialog() { return document.getElementById("dialog"); }

function showKeys() {
  const template = document.getElementById("keys");
  if (!template || dialog().open) return;
  dialog().replaceChildren(template.content.cloneNode(true));
  dialog().showModal();
}

function toast(text) {
  const place = document.getElementById("toasts");
  if (!place || !text) return;
  const note = document.createElement("div");
  note.className = "c-toast";
  note.textContent = text;
  place.append(note);
  setTimeout(() => note.remove(), 8000);
}

document.addEventListener("toast", (event) => toast(event.detail?.value));

/* --- What a swap must not undo: opened details ------------------------------------------------------------- */

const opened = new Set();
document.addEventListener("toggle", (event) => {
  if (!event.target.id || !event.target.isConnected) return;
  if (event.target.open) opened.add(event.target.id); else opened.delete(event.target.id);
}, true);

function reopen(root) {
  for (const details of root.querySelectorAll("details[id]")) if (opened.has(details.id)) details.open = true;
}

/* --- htmx -------------------------------------------------------------------------------------------------- */

let failedSince = null;

document.addEventListener("htmx:beforeRequest", (event) => {
  const element = event.detail.elt;
  if (element.hasAttribute("data-poll") && document.hidden) event.preventDefault();
});
document.addEventListener("htmx:afterSwap", (event) => {
  writeTimes();
  reopen(document);
  if (event.detail.target.id === "list") followList();
  if (event.detail.target.id === "dialog" && !dialog().open && dialog().childElementCount) dialog().showModal();
});
document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful) failedSince = null; });
function failed(event) {
  const poll = event.detail.elt?.hasAttribute("data-poll");
  if (poll && failedSince) return; // said once; what is shown stays
  if (poll) failedSince = new Date();
  toast(poll
    ? `The page could not be updated; what you see is from ${clock.format(new Date())}. Trying again.`
    : "That did not arrive. Check the connection to this console and try again.");
}
document.addEventListener("htmx:sendError", failed);
document.addEventListener("htmx:timeout", failed);
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.xhr.status === 403) toast("You may look, but not do this. Ask an administrator for the permission.");
  else failed(event);
});

/* --- Keys: / search, arrows or j k move, x select, Enter opens, ? help -------------------------------------- */

function items() { return [...document.querySelectorAll("[data-item] a.c-name")]; }

function moveTo(step) {
  const links = items();
  if (!links.length) return;
  const here = links.findIndex((link) => link.closest("[data-item]").contains(document.activeElement));
  links[Math.min(links.length - 1, Math.max(0, here < 0 ? 0 : here + step))].focus();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const writing = event.target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]");
  if (writing) return;
  const inList = document.activeElement.closest?.("[data-item]");
  if (event.key === "/" && document.getElementById("q")) { event.preventDefault(); document.getElementById("q").focus(); }
  else if (event.key === "?" && document.getElementById("keys")) showKeys();
  else if ((event.key === "ArrowDown" && inList) || event.key === "j") { event.preventDefault(); moveTo(1); }
  else if ((event.key === "ArrowUp" && inList) || event.key === "k") { event.preventDefault(); moveTo(-1); }
  else if (event.key === "x" && inList) inList.querySelector("input[data-select]")?.click();
  else if (event.key === "Escape") clearSelection();
});

/* --- The frame's controls are spans and divs: give them a role, a name and keys ----------------------------- */

function asButton(element, name) {
  element.setAttribute("role", "button");
  element.tabIndex = 0;
  if (name) element.setAttribute("aria-label", name);
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    element.click();
  });
}

function landmark(selector, role, name) {
  for (const element of document.querySelectorAll(selector)) {
    element.setAttribute("role", role);
    if (name) element.setAttribute("aria-label", name);
  }
}

function mendFrame() {
  const content = document.getElementById("content");
  landmark(content ? "#content" : "#page", "main");
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
      if (!element.matches("a[href], button")) asButton(element, visible ? null : name);
    }
  }
  document.querySelector("#nav-sidebar-inner")?.setAttribute("aria-label", "Main");
  for (const link of document.querySelectorAll("#nav-sidebar a.active")) link.setAttribute("aria-current", "page");
  document.getElementById("searchbar-submit")?.setAttribute("aria-label", "Search");
  document.getElementById("command-submit")?.setAttribute("aria-label", "Search");
  const command = document.getElementById("search-input-command");
  command?.setAttribute("aria-label", "Search the console");
  command?.setAttribute("placeholder", "Name or id of an account, name of a connection");
  landmark("#submit-row, .submit-row-container, #changelist-actions", "region", "Actions");
  landmark("[class*='lg:scrollable-top']", "region", "Pages");
  landmark("#main > .px-4:has(> * > ul)", "region", "Messages");
}

/* SimpleBar and select2 build their elements late, all with the same name or none. */
function nameLateControls() {
  document.querySelectorAll(".simplebar-content-wrapper").forEach((element, index) => {
    element.setAttribute("aria-label", index ? `Scrollable area ${index + 1}` : "Scrollable area");
  });
  for (const box of document.querySelectorAll(".select2-selection")) {
    const label = box.closest(".field-row, .form-row, div")?.querySelector("label");
    if (!box.getAttribute("aria-label")) box.setAttribute("aria-label", label?.textContent.trim() || "Choose");
  }
}

/* Unfold's modal neither takes the focus nor gives it back. */
function watchModal() {
  const modal = document.getElementById("modal-content");
  if (!modal) return;
  let before = null;
  new MutationObserver(() => {
    modal.setAttribute("role", "dialog");
    modal.setAttribute("aria-modal", "true");
    modal.setAttribute("aria-label", modal.querySelector("h1, h2, h3")?.textContent.trim() || "Dialog");
    before ??= document.activeElement;
    setTimeout(() => modal.querySelector("input:not([type=hidden]), select, textarea, button, a[href]")?.focus(), 60);
  }).observe(modal, { childList: true });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && before) { before.focus?.(); before = null; }
  });
}

document.addEventListener("DOMContentLoaded", () => {
  mendFrame();
  watchModal();
  writeTimes();
  followList();
  setInterval(writeTimes, 15000);
});
window.addEventListener("load", () => setTimeout(nameLateControls, 100));
