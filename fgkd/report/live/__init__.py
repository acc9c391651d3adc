"""A suite while it runs: what its processes say of themselves, and how a terminal shows it. No torch here."""
