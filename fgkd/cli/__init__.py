"""The ``fgkd`` command, a file per subcommand."""
