// The list of streams: what can be begun from it.

showLearning();
follow();
