"""The bank: a teacher's word on V fixed views of every training image, found once and replayed by any later cohort.

It holds what `SteadyTeacher` says, bit for bit, so that a run's result does not depend on who served it.
"""

from fgkd.teacher.bank.building import build
from fgkd.teacher.bank.draft import NoRoom
from fgkd.teacher.bank.key import SERVED, BankKey, bank_bytes
from fgkd.teacher.bank.replay import Replay, Service
from fgkd.teacher.bank.steady import SteadyTeacher
from fgkd.teacher.bank.store import Bank, bank_folder, open_bank

__all__ = [
    "SERVED",
    "Bank",
    "BankKey",
    "NoRoom",
    "Replay",
    "Service",
    "SteadyTeacher",
    "bank_bytes",
    "bank_folder",
    "build",
    "open_bank",
]
