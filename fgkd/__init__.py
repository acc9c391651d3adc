"""fgkd: which distillation method, with which student, for fine-grained classification, and on what evidence."""

__version__ = "0.1.0"
