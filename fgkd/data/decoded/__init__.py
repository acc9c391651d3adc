"""The decoded cache: a data set's pictures, decoded once and memory-mapped by every process and suite.

It changes no pixel: it holds what `fgkd.data.images.read_image` gives for one `shorter_side`.
"""

from fgkd.data.decoded.build import Survey, build, survey
from fgkd.data.decoded.store import Decoded, Manifest, find, open_decoded, remove, stores

__all__ = ["Decoded", "Manifest", "Survey", "build", "find", "open_decoded", "remove", "stores", "survey"]
