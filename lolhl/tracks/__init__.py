"""Tracks: what one signal says of one VOD, at the instants of its grid, stored beside the VOD.

A track lies in tracks/<vod>/<signal>-<digest>/ as parts of some thousand rows, and track.json, its manifest, which
is written last. What makes it, and what reads it, knows nothing of the other: see `lolhl.signals` for the one.
"""
