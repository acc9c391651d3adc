"""Fixtures of the trainer's tests."""

from tests.faulty import device, faulty  # noqa: F401
