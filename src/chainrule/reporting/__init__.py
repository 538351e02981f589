"""Reports: tables for the terminal, pictures for the run directory."""
