"""Training: a cohort of learners in one loop, over one data pass and one word of the teacher per batch.

Each learner has its own network, objective, optimiser and random stream, so that its numbers do not depend on who sits
beside it.
"""
