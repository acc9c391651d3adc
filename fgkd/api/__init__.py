"""fgkd from Python: what `import fgkd` offers, found on first use."""
