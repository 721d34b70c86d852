"""Figures and histories that pages show: counts, charts, activity, and what needs attention."""
