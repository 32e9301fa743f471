"""Games that a stream shows, as Riot records them: their events, and their clock. Nothing here knows of labels."""
