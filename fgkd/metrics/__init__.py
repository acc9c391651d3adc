"""What networks are judged by: pure functions of tensors, and accumulators that ask the device nothing until `compute`.

N samples, K classes, D width of an embedding. Shares are in [0, 1].
"""

from fgkd.metrics.accuracy import TopK
from fgkd.metrics.summarise import summarise, summarise_embeddings

__all__ = ["TopK", "summarise", "summarise_embeddings"]
