"""The decoded cache: a data set's pictures, decoded once and memory-mapped by every process and suite.

It changes no pixel: it holds what `fgkd.data.images.read_image` gives for one `shorter_side`.
"""

from fgkd.data.decoded.building import build
from fgkd.data.decoded.layout import Manifest, decoded_folder, remove, sides_of, stores
from fgkd.data.decoded.sizing import survey
from fgkd.data.decoded.store import Decoded, find, open_decoded

__all__ = [
    "Decoded",
    "Manifest",
    "build",
    "decoded_folder",
    "find",
    "open_decoded",
    "remove",
    "sides_of",
    "stores",
    "survey",
]
