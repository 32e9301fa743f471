"""How good lolhl is: all methods on the same streams of a real game, judged by the one judge."""
