"""Records turned into what people read: comparisons with their evidence, sheets, Markdown, a terminal's table."""
