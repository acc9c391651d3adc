"""What networks are judged by: pure functions of tensors, and a thinned store of a split too large to keep.

N samples, K classes, D width of an embedding. Shares are in [0, 1].
"""

from fgkd.metrics.calibration import fit_temperature, reliability
from fgkd.metrics.samples import figures, judge
from fgkd.metrics.summarise import summarise, summarise_embeddings, verification_roc
from fgkd.metrics.thinning import Thinned

__all__ = [
    "Thinned",
    "figures",
    "fit_temperature",
    "judge",
    "reliability",
    "summarise",
    "summarise_embeddings",
    "verification_roc",
]
