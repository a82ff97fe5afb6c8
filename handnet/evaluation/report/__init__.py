"""The report of an evaluation: pages, plots, the table in the terminal, maps and the projector."""
