// Opens the page again while something on it is still under way.
setTimeout(() => location.reload(), 4000);
