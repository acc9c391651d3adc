"""Malformed input of every kind: always a message, never another exception.

``FGKD_FUZZ=20000 pytest tests/fuzz`` tries so many inputs of each kind.
"""
