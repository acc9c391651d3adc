"""Those who follow a suite while it runs: bars or lines on the console, ``fgkd watch``, experiment trackers."""
