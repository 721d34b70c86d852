"""The frame of every page: site, theme, menu, and what the page views share."""
