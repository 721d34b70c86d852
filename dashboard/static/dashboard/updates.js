/* How htmx updates a page: what it may do, when it does not ask, and what a person hears when it fails. */
(() => {
  // Nothing is evaluated, no page is kept in the browser's storage, and no other host is asked.
  Object.assign(htmx.config, {
    allowEval: false,
    includeIndicatorStyles: false,
    historyCacheSize: 0,
    refreshOnHistoryMiss: true,
    allowScriptTags: false,
    scrollIntoViewOnBoost: false,
    selfRequestsOnly: true,
    timeout: 15000,
    // A form in new content is sent by htmx only once the content is settled: Enter must not come before.
    defaultSettleDelay: 0,
    // 422 is a form with a mistake, which says what is wrong.
    responseHandling: [
      { code: "204", swap: false },
      { code: "[23]..|422", swap: true },
      { code: "...", swap: false, error: true },
    ],
  });

  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
  // A swap must not close the details that a person has opened.
  const opened = new Set();
  let pollFails = false;

  function toast(value) {
    document.dispatchEvent(new CustomEvent("toast", { detail: { value } }));
  }

  function reportFailure(event) {
    if (!event.detail.elt?.hasAttribute("data-poll")) {
      toast("That did not arrive. Check the connection to this console and try again.");
      return;
    }
    // A poll that fails again is not reported again; the page keeps what it shows.
    if (pollFails) return;
    pollFails = true;
    const now = clock.format(new Date());
    toast(`The page could not be updated; what you see is from ${now}. Trying again.`);
  }

  document.addEventListener(
    "toggle",
    ({ target }) => {
      if (!target.id || !target.isConnected) return;
      if (target.open) opened.add(target.id);
      else opened.delete(target.id);
    },
    true,
  );
  // What has the focus may lie in details that are closed at first, where nothing can have it.
  let focused = "";
  document.addEventListener("htmx:beforeSwap", () => {
    focused = document.activeElement?.id || "";
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const details of document.querySelectorAll("details[id]")) {
      // A menu of which one entry is chosen closes then.
      if (details.hasAttribute("data-closes")) opened.delete(details.id);
      if (opened.has(details.id)) details.open = true;
    }
    const isLost = () => document.activeElement === document.body;
    const again = focused && isLost() && document.getElementById(focused);
    if (!again) return;
    again.focus();
    if (isLost()) again.closest("details")?.querySelector("summary").focus();
  });
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (event.detail.elt.hasAttribute("data-poll") && document.hidden) event.preventDefault();
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful) pollFails = false;
  });
  document.addEventListener("htmx:sendError", reportFailure);
  document.addEventListener("htmx:timeout", reportFailure);
  document.addEventListener("htmx:responseError", (event) => {
    if (event.detail.xhr.status !== 403) reportFailure(event);
    else toast("You may look, but not do this. Ask an administrator for the permission.");
  });
})();
