"""Highlights in the formats that other programs read: one file a format, and `formats`, which lists them."""
