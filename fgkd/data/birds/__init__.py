"""`synthetic_birds`: a fine-grained data set drawn on the spot, so that a suite runs with nothing downloaded.

25 species in 5 families of look-alikes; within a family only small parts differ. Every picture is a function of
(seed, split, class, number), so any machine draws the same set, in seconds.
"""

from fgkd.data.birds.pictures import DRAWING_VERSION, bird_picture, describe_birds, write_birds

__all__ = ["DRAWING_VERSION", "bird_picture", "describe_birds", "write_birds"]
