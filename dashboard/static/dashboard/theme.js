/* Sets the theme before the first paint. Unfold's own script does it too late, and the page would flash. */
(() => {
  let choice = "auto";
  try {
    choice = JSON.parse(localStorage.getItem("adminTheme")) || "auto";
  } catch {
    // What is stored is not JSON, so unfold did not write it.
  }
  const dark = choice === "dark" || (choice === "auto" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.classList.toggle("dark", dark);
})();
