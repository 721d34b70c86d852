"""What surrounds every page: site, theme, menu, and the base of the page views."""
