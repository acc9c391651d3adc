"""Run a suite: check everything, plan what is missing, train cohort by cohort, record, board."""

from fgkd.runner.options import Options
from fgkd.runner.session import bench, dry_run

__all__ = ["Options", "bench", "dry_run"]
