"""How several launches of one suite share its runs: notes of who trains what, claims, and whose turn it is."""
