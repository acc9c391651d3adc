"""From what a user has (archives, folders, a hub copy) to the layout that a card's source reads."""

from fgkd.data.prepare.preparing import Job, prepare
from fgkd.data.prepare.progress import Progress

__all__ = ["Job", "Progress", "prepare"]
