"""The product under load: many connections, whose syncs and refreshes follow each other faster than usual, and people."""
