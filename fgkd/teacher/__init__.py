"""Teachers: who may be one, the single pass that a cohort asks of one, and the bank that remembers what it said.

The learners of a cohort share its teacher: no method holds one, or two methods could not share what it says.
"""
