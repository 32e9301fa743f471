"""The keys of a root, and the command that makes what lies under each of them."""

from lolhl.frames.spec import FrameSpec

RETRAINED = "retrain-"  # how the names of datasets and models begin that `retrain` makes


def command(key: str) -> str:
    """The command that makes the object under this key. What the key does not tell is left open, as "…".

    Args:
        key: of a manifest, or of a file that belongs to one.
    """
    match key.split("/"):
        case ["labels", *_]:
            return "lolhl labels …"
        case ["vods", vod, *_]:
            return f"lolhl download … --name {vod}"
        case ["frames", vod, name, *_]:
            spec = FrameSpec.parse(name)
            return spec.command(vod) if spec else f"lolhl extract {vod} …"
        case ["tracks", vod, *_]:
            return f"lolhl track {vod}"
        case ["datasets" | "models", name, *_] if name.startswith(RETRAINED) or name == "champion.json":
            return "lolhl retrain"
        case ["datasets", name, *_]:
            return f"lolhl dataset {name} …"
        case ["models", name, *_]:
            return f"lolhl train {name} …"
        case ["highlights", vod, file] if file.startswith("scores."):
            return f"lolhl infer … {vod}"
        case ["highlights", vod, *_]:
            return f"lolhl report {vod}"
        case ["scores", model, vod, *_]:
            return f"lolhl compare {model} --vods {vod}"
        case ["comparisons", name, *_]:
            return f"lolhl compare … --name {name}"
        case _:
            return "lolhl retrain"


def remake(key: str) -> str:
    """The command that makes the object under this key anew, whatever lies there now."""
    return f"{command(key)} --force"
