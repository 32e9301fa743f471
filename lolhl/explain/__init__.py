"""What in a picture drove its score: parts of the picture, and what each of them adds to the log-odds."""
