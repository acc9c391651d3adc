"""What is checked before anything is trained: recipes, pairs, data, weights, space; all problems are told together."""
