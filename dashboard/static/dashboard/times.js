/* Rewrites the times of a page in the browser's zone, and keeps the relative ones true.
   The server has the same words in templatetags/console.py, because pages must read well without script;
   a browser test compares both. */
(() => {
  const UPDATE_SECONDS = 15;
  const exact = new Intl.DateTimeFormat("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    timeZoneName: "short",
  });
  const dateOnly = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
  const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

  function formatSpan(seconds) {
    const minutes = Math.floor(seconds / 60);
    const hours = Math.floor(minutes / 60);
    const days = Math.floor(hours / 24);
    if (days >= 1) return days === 1 ? "1 day" : `${days} days`;
    if (hours >= 1) return hours < 10 && minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
    return `${minutes} min`;
  }

  function formatRelative(moment) {
    const seconds = (Date.now() - moment.getTime()) / 1000;
    if (Math.abs(seconds) < 60) return seconds < 0 ? "in less than a minute" : "just now";
    if (Math.abs(seconds) >= 7 * 86400) return dateOnly.format(moment);
    return seconds < 0 ? `in ${formatSpan(-seconds)}` : `${formatSpan(seconds)} ago`;
  }

  const formats = {
    clock: (moment) => clock.format(moment),
    date: (moment) => dateOnly.format(moment),
    relative: formatRelative,
  };

  function writeTimes() {
    for (const element of document.querySelectorAll("time[datetime][data-as]")) {
      const moment = new Date(element.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      element.textContent = formats[element.dataset.as](moment);
      element.title = exact.format(moment);
    }
  }

  document.addEventListener("htmx:afterSwap", writeTimes);
  document.addEventListener("DOMContentLoaded", () => {
    writeTimes();
    setInterval(writeTimes, UPDATE_SECONDS * 1000);
  });
})();
