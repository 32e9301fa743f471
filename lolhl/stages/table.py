"""The one table of stages: what each does and is told, which image has what it needs, whether replicas share its work.

The verbs of the command line, the components' images and the images' checks follow from it. A stage is the function of
its name in the module of its name. The table imports none of them, because some take seconds.

    python -m lolhl.stages.table infer      # the verbs that the image `infer` has to offer, one a line
"""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lolhl.config import Config

IMAGES = ("dataset", "extract", "infer", "train")  # each is built on the one before, and has what that has


@dataclass(frozen=True)
class Word:
    """What a stage is told besides its settings: a name, an address, a file.

    Attributes:
        many: whether there may be several.
        flagged: whether its name stands before it on the command line.
    """

    name: str
    help: str
    many: bool = False
    flagged: bool = False

    @property
    def flag(self) -> str:
        return "--" + self.name.replace("_", "-")


@dataclass(frozen=True)
class Stage:
    """One row of the table.

    Attributes:
        summary: what it does, for people.
        image: the smallest that has what it needs.
        words: what it must be told: the arguments after the root, in order.
        options: what it may be told: keyword arguments, which are None where nothing is said.
        settings: names of its classes of settings, as its module has them: the arguments after the words, in order.
        shareable: whether several processes may share its VODs, the last word. Its function does one VOD.
        forced: whether it takes `force=True`, to redo what is done.
        epilog: what its help ends with.
        module: where its function lies; by default lolhl.stages.<name>.
    """

    summary: str
    image: str
    words: tuple[Word, ...] = ()
    options: tuple[Word, ...] = ()
    settings: tuple[str, ...] = ()
    shareable: bool = False
    forced: bool = True
    epilog: str = ""
    module: str = ""


@dataclass(frozen=True)
class Imported:
    """What a stage's module holds: its function, and the classes of its settings."""

    function: Callable[..., Any]
    configs: tuple[type[Config], ...]


_STREAM = "Twitch VOD id or URL, http(s) URL of a video, or a video file"
_NAME = Word("name", "what to call the VOD (default: its Twitch id, or the file's name)", flagged=True)

STAGES: dict[str, Stage] = {
    "download": Stage(
        "fetch a VOD: from Twitch, a URL or a file",
        image="extract",
        words=(Word("source", _STREAM),),
        options=(_NAME,),
        settings=("DownloadConfig",),
        epilog="examples:\n  lolhl download https://www.twitch.tv/videos/1863051677\n"
        "  lolhl download stream.mp4 --name final --start 1:00:00 --stop 1:30:00",
    ),
    "extract": Stage(
        "take frames from a VOD's video",
        image="extract",
        words=(Word("vod", "names of downloaded VODs", many=True),),
        settings=("ExtractConfig",),
        shareable=True,
    ),
    "labels": Stage(
        "import hand-marked highlights",
        image="dataset",
        words=(Word("file", "table of labels (vid_id, start, stop as h:mm:ss), or a file of another program"),),
        settings=("LabelsConfig",),
        epilog="examples:\n  lolhl labels highlights.tsv\n  lolhl labels export.json --format label-studio --fps 24\n"
        "  lolhl labels markers.csv --vod 1863051677\n  lolhl labels cuts.edl --vod 1863051677 --fps 29.97",
    ),
    "clock": Stage(
        "read the game's clock on a VOD's pictures, and tell where its games begin, pause and end",
        image="infer",
        words=(Word("vod", "names of downloaded VODs", many=True),),
        settings=("ClockConfig",),
        shareable=True,
        epilog="It needs `pip install 'lolhl[clock]'`. `lolhl riot` then places Riot's games by the clock.\n\n"
        "examples:\n  lolhl clock 1863051677\n  lolhl clock 1863051677 --box 0.9646,0.0019,0.0313,0.0259",
    ),
    "riot": Stage(
        "ask Riot for the games that a VOD shows, and make highlights of their events",
        image="dataset",
        words=(
            Word("vod", "name of a downloaded VOD"),
            Word("riot_id", "the account that plays, as NAME#TAG; several with commas between them", flagged=True),
        ),
        settings=("RiotConfig",),
        epilog="It needs a key of your own in LOLHL_RIOT_KEY, from https://developer.riotgames.com. Such labels never "
        "take\nthe place of those that a person gave.\n\n"
        "examples:\n  lolhl riot 1863051677 --riot-id 'Hide on bush#KR1' --region kr\n"
        "  lolhl riot 1863051677 --riot-id 'Me#EUW,Mine#EUW' --game-start 0:12:34",
    ),
    "dataset": Stage(
        "join frames and labels, split without leakage, rebalance",
        image="dataset",
        words=(
            Word("name", "what to call the dataset"),
            Word("vod", "names of VODs with frames and labels", many=True),
        ),
        settings=("DatasetConfig",),
    ),
    "train": Stage(
        "learn a model from a dataset",
        image="train",
        words=(Word("model", "what to call the model"),),
        settings=("TrainConfig",),
        epilog="examples:\n  lolhl train first --dataset mine\n"
        "  lolhl train deep --dataset mine --kind image --backbone resnet18 --tune all --learning-rate 1e-4",
    ),
    "track": Stage(
        "compute ahead of time what models look at: the features of a VOD's pictures",
        image="infer",
        words=(Word("vod", "names of downloaded VODs", many=True),),
        settings=("TrackConfig",),
        shareable=True,
        epilog="What train and infer need is computed by them where it is not stored; this verb does it ahead of time, "
        "on a\nmachine with a GPU, say. Tracks that any machine stored serve all of them.\n\n"
        "examples:\n  lolhl track 1863051677 1886367077\n  lolhl track 1863051677 --backbone resnet18 --size 160\n"
        "  lolhl track 1886367077 --model first --source video",
    ),
    "infer": Stage(
        "score a VOD with a model",
        image="infer",
        words=(
            Word("model", "name of a trained model, champion, unsupervised (without a model) or events (of its games)"),
            Word("vod", "names of downloaded VODs", many=True),
        ),
        settings=("InferConfig",),
        shareable=True,
    ),
    "report": Stage(
        "cut highlights from scores: page, clips, reel, shorts, exports",
        image="infer",
        words=(Word("vod", "names of VODs with scores", many=True),),
        settings=("ReportConfig",),
        shareable=True,
        epilog="examples:\n  lolhl report 1886367077\n  lolhl report 1886367077 --minutes 10\n"
        "  lolhl report 1886367077 --share 8% --clips exact\n"
        "  lolhl report 1886367077 --shorts --camera 0.75,0.7,0.25,0.3",
    ),
    "review": Stage(
        "serve a page on this machine: begin streams, correct their highlights, learn from that",
        image="train",
        settings=("ReviewConfig",),
        forced=False,
        epilog="Open the address that it prints; Ctrl-C ends it. Corrections lie below reviews/.\n"
        "The button “Use as labels” makes labels of them, for what was looked at.\n"
        "“Learn from this” runs `lolhl retrain`.\n\n"
        "example:\n  lolhl review",
    ),
    "export": Stage(
        "write highlights for other programs: Final Cut Pro, Premiere, Resolve, LosslessCut, YouTube",
        image="extract",
        words=(Word("vod", "names of VODs with highlights", many=True),),
        settings=("ExportConfig",),
        shareable=True,
        forced=False,
        epilog="Highlights that were corrected on the review page are exported as they were left there;\n"
        "--no-corrections gives those of the model.\n\n"
        "examples:\n  lolhl export 1863051677\n  lolhl export 1863051677 --format fcpxml --handles 2\n"
        "  lolhl export 1863051677 --format fcp7 --media stored --media-folder 'D:\\vods\\1863051677'",
    ),
    "reel": Stage(
        "join highlights, as they were corrected on the review page, to one video",
        image="extract",
        words=(Word("vod", "names of VODs with highlights", many=True),),
        settings=("ReelConfig",),
        shareable=True,
        epilog="`lolhl report` makes a reel of what the model found; this one leaves out what was rejected, has the "
        "borders\nthat were moved, and holds what was added.\n\n"
        "examples:\n  lolhl reel 1863051677\n  lolhl reel 1863051677 --minutes 8 --fade 0.5 --loudness -14",
    ),
    "compare": Stage(
        "judge models and other methods on the same labelled VODs",
        image="infer",
        words=(
            Word(
                "method",
                "names of models, champion, or a method that is built in: constant, random, unsupervised, loudness, "
                "chat, motion, events",
                many=True,
            ),
        ),
        options=(Word("name", "what to call the comparison (default: a digest of methods and VODs)", flagged=True),),
        settings=("CompareConfig",),
        epilog="Each method is compared with the first one, and all of them with a constant answer and random ranking."
        "\n\nexamples:\n  lolhl compare first second --vods 1886367077,1863051677\n  lolhl compare champion first",
    ),
    "analyse": Stage(
        "show what a model finds and misses on labelled VODs, and what its mistakes come from",
        image="train",
        words=(Word("model", "name of a trained model, or champion"),),
        settings=("AnalyseConfig",),
        epilog="Without --vods it takes the labelled VODs that the model has not learnt from, else its validation side."
        "\n\nexamples:\n  lolhl analyse first\n  lolhl analyse champion --vods 1886367077 --worst 12",
    ),
    "retrain": Stage(
        "learn from all labels, and make the model champion if it is better on held-out VODs",
        image="train",
        settings=("RetrainConfig",),
        epilog="The challenger is judged with the champion on VODs that neither training nor the threshold has seen. "
        "It\nbecomes champion if its average precision is higher, and surely not lower by more than the tolerance.\n\n"
        "examples:\n  lolhl retrain\n  lolhl retrain --like first --judge 1886367077\n"
        "  lolhl run stream.mp4 --model champion",
    ),
    "rollback": Stage("make the champion before champion again", image="train", forced=False),
    "run": Stage(
        "all of it for one stream: download, infer, report",
        image="infer",
        words=(Word("stream", _STREAM),),
        options=(
            Word(
                "model",
                "name of a trained model, champion, or unsupervised: loudness and chat against the stream's own "
                "baseline (default: the champion, or unsupervised where there is none)",
                flagged=True,
            ),
            _NAME,
        ),
        settings=("DownloadConfig", "InferConfig", "ReportConfig"),
        epilog="examples:\n  lolhl run https://www.twitch.tv/videos/1863051677 --chat\n"
        "  lolhl run https://www.twitch.tv/videos/1863051677 --model first",
    ),
}


def load(name: str) -> Imported:
    """Imports the stage of this name."""
    stage = STAGES[name]
    module = importlib.import_module(stage.module or f"lolhl.stages.{name}")
    return Imported(getattr(module, name), tuple(getattr(module, config) for config in stage.settings))


def offered(image: str) -> list[str]:
    """The verbs that this image has what it needs for."""
    contained = IMAGES[: IMAGES.index(image) + 1]
    return [name for name, stage in STAGES.items() if stage.image in contained]


if __name__ == "__main__":
    print(*offered(sys.argv[1]), sep="\n")
