"""Tables: cells and their spelling, the kinds of columns, rows of elements."""
