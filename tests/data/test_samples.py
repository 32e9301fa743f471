"""Clips find their frames in what is held, and pictures are changed as little as is said."""

import numpy as np
import torch

from lolhl.data.augment import BRIGHTNESS, CONTRAST, SHIFT, augmented
from lolhl.data.samples import BatchOrder, ClipDataset, Contents, rows, wanted
from lolhl.data.stretches import Samples


def test_clips_find_their_frames_in_what_is_held() -> None:
    rng = np.random.default_rng(0)
    vod = np.array([0] * 5 + [2] * 7)
    frame = np.concatenate([rng.integers(5, 50, 5), rng.integers(5, 50, 7)])
    labels = rng.random(12) < 0.5
    samples = Samples(("a", "b", "c"), vod, frame, labels)
    clips = frame[:, None] + np.array([-2, 0, 3])
    held = wanted([(samples, clips)])
    assert list(held) == ["a", "b", "c"]
    assert not len(held["b"])
    assert set(held["c"]) == set(clips[vod == 2].ravel())
    pairs = np.concatenate([[(n, f) for f in held[name]] for n, name in enumerate("abc") if len(held[name])])
    contents = Contents({"pictures": torch.from_numpy(pairs)}, torch.device("cpu"))
    dataset = ClipDataset(labels, rows(samples, clips, held))
    seen = []
    for batch in BatchOrder(12, 5, shuffle_seed=1, rank=0, world=1):
        numbers, truth, which = dataset[batch]
        values = contents.take(numbers)
        assert values.shape == (len(which), 3, 2)
        assert torch.equal(values[:, 0, 0], torch.from_numpy(vod)[which])
        assert torch.equal(values[:, :, 1], torch.from_numpy(clips)[which])
        assert torch.equal(truth, torch.from_numpy(labels).float()[which])
        seen += which.tolist()
    assert sorted(seen) == list(range(12))


def test_a_clip_s_frames_are_changed_alike_and_a_little() -> None:
    side = 80
    one = torch.arange(side).float().expand(side, side)
    picture = torch.stack([one, one.T, one * 0 + 100], dim=-1).to(torch.uint8)  # each pixel says where it lay
    clips = picture.expand(64, 3, side, side, 3).clone()
    torch.manual_seed(5)
    changed = augmented(clips)
    assert changed.dtype == torch.uint8
    assert changed.shape == clips.shape
    assert torch.equal(changed[:, 0], changed[:, 2])
    torch.manual_seed(5)
    assert torch.equal(augmented(clips), changed)
    assert not torch.equal(augmented(clips), changed)
    grey = changed[:, 0, 0, 0, 2].float()
    widest = 255 * BRIGHTNESS + CONTRAST * 27.5
    assert 0.5 * widest < (grey - 100).abs().max() <= widest + 1
    # What lay in the middle lies near it: contrast and brightness are undone by the third colour's known values.
    flat = torch.full((64, 1, side, side, 3), 127, dtype=torch.uint8)
    flat[:, :, side // 2, side // 2] = 255
    moved = augmented(flat)[:, 0, :, :, 0].float()
    places = moved.flatten(1).argmax(1)
    off = torch.stack([places // side, places % side]) - side // 2
    assert off.abs().max() == round(SHIFT * side)
    assert off.min() < 0 < off.max()
