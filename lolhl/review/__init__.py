"""The review page: reports, served on this machine, so that corrections are saved while they are made."""
