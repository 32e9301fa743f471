"""run: one stream in, its highlights out: download, infer and report in one process."""

from dataclasses import replace

from lolhl.manifest import Manifest
from lolhl.models.bundle import load_bundle
from lolhl.stages.download import DownloadConfig, download
from lolhl.stages.infer import InferConfig, infer
from lolhl.stages.report import ReportConfig, report
from lolhl.storage import Root


def run(
    root: Root,
    source: str,
    model: str,
    downloading: DownloadConfig = DownloadConfig(),
    inferring: InferConfig = InferConfig(),
    reporting: ReportConfig = ReportConfig(),
    *,
    name: str | None = None,
    force: bool = False,
) -> Manifest:
    """Finds the highlights of one stream. What is done already is not done again.

    Frames are taken straight from the video, unless they were extracted before.

    Args:
        root: where the data lies.
        source: Twitch VOD id or URL, http(s) URL of a video, or a video file.
        downloading: the rendition that it asks for serves the model in any case.
        model: name of a trained model.
        name: what to call the VOD; else its Twitch id, or the file's name.
        force: redo what is done.

    Returns:
        The report's manifest.

    Raises:
        LolhlError: as the stages do.
    """
    view = load_bundle(root, model).view  # a wrong name must not cost a download
    serves, fps = max(downloading.serves, view.size), max(downloading.serves_fps, view.fps)
    downloading = replace(downloading, serves=serves, serves_fps=fps)
    vod = download(root, source, downloading, name=name, force=force).result["vod"]
    infer(root, model, vod, inferring, force=force)
    return report(root, vod, reporting, force=force)
