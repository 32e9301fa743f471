"""Labels: the spans that people marked, and the formats that they write them in."""
