"""How good a method is: figures, the judge that takes them, and comparisons of several methods."""
