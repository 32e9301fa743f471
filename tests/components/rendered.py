"""Components as their schedulers get them, printed as YAML: name of the case → the job, with a stand-in for its id.

`python -m tests.components.rendered SCHEDULER` prints all cases. Which TorchX renders them, PYTHONPATH decides.
"""

import sys
import warnings
from pathlib import Path
from typing import Any

import yaml
from torchx.runner import get_runner

import components

APP_ID = "APPID"
_HERE = Path(components.__file__).parent
_AT = ("--root", "s3://bucket/lolhl")
_VODS = ("1863051677", "1886367077")
_GPU = ("-h", "lolhl_h100")
_CFG: dict[str, dict[str, Any]] = {
    "kubernetes": {
        "queue": "lolhl",
        "namespace": "lolhl",
        "service_account": "lolhl-stage",
        "gpu_nodes": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"},
        "validate_spec": False,  # else torchx-nightly asks the cluster
    },
    "slurm": {},
    "local_docker": {"copy_env": ["*"]},
}
# Of each case: the component, its own arguments, and those of the stage.
CASES: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "download": ("download", (), (*_VODS[:1], *_AT)),
    "labels": ("labels", (), ("highlights.tsv", *_AT)),
    "clock": ("clock", (), (*_VODS, "--rendition", "stored", *_AT)),
    "riot": ("riot", (), (*_VODS[:1], "--riot-id", "Me#EUW", *_AT)),
    "extract": ("extract", (), (*_VODS, *_AT)),
    "extract-replicas-gpu": ("extract", ("--replicas", "2", "--max_retries", "3", *_GPU), (*_VODS, *_AT)),
    "dataset": ("dataset", (), ("first", *_VODS, *_AT)),
    "train": ("train", (), ("first", "--dataset", "first", *_AT)),
    "train-nodes-gpu": ("train", ("-j", "2x1", "--max_retries", "3", *_GPU), ("first", "--dataset", "first", *_AT)),
    "track": ("track", (), (*_VODS, *_AT)),
    "infer": ("infer", (), ("first", *_VODS, *_AT)),
    "infer-replicas-gpu": ("infer", ("--replicas", "2", *_GPU), ("first", *_VODS, *_AT)),
    "report": ("report", (), (*_VODS, *_AT)),
    "export": ("export", (), (*_VODS, "--format", "otio", *_AT)),
    "reel": ("reel", (), (*_VODS, "--minutes", "8", *_AT)),
    "compare": ("compare", (), ("champion", "first", "--vods", _VODS[1], *_AT)),
    "analyse": ("analyse", (), ("champion", "--vods", _VODS[1], *_AT)),
    "retrain": ("retrain", (), _AT),
    "rollback": ("rollback", (), _AT),
}


def rendered(scheduler: str) -> dict[str, str]:
    """What a dry run of each case prints, with "APPID" for the part of the job's name that is random."""
    with get_runner() as runner:
        jobs = {}
        for name, (component, options, arguments) in CASES.items():
            path = f"{_HERE}/{component}.py:{component}"
            planned = runner.dryrun_component(path, [*options, "--", *arguments], scheduler, dict(_CFG[scheduler]))
            text = str(planned)
            if scheduler == "kubernetes":
                app, _, random = planned.request.resource["metadata"]["name"].rpartition("-")
                text = text.replace(f"{app}-{random}", f"{app}-{APP_ID}")
            jobs[name] = text
    return jobs


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    yaml.safe_dump(rendered(sys.argv[1]), sys.stdout)
