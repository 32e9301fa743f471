"""Changes that a stream may have without being another: what training shows of a picture differs each time.

A game's picture is never mirrored (its panels have their sides) nor much shifted (they have their
places), so both changes are small: where the picture lies, and its brightness and contrast. All
frames of a clip are changed alike.
"""

import torch
from torch import Tensor

SHIFT = 0.05  # of the side, at most, in each direction
BRIGHTNESS = 0.1  # of white, more or less
CONTRAST = 0.2  # of itself, more or less, around middle grey


def augmented(clips: Tensor) -> Tensor:
    """Clips as they might have been seen, on the device where they are.

    The choice is torch's random numbers on the CPU: whoever sets their seed gets the same again, on
    any device. Where a shifted picture ends, its last row or column is repeated.

    Args:
        clips: uint8 [B, T, S, S, 3].

    Returns:
        uint8 [B, T, S, S, 3].
    """
    batch, steps, side = clips.shape[:3]
    chosen = (2 * torch.rand(batch, 4) - 1).to(clips.device, non_blocking=True)
    shift = (chosen[:, :2] * SHIFT * side).round().long()
    from_row, from_column = (shift[:, :, None] + torch.arange(side, device=clips.device)).clamp(0, side - 1).unbind(1)
    each = torch.arange(batch, device=clips.device)[:, None, None, None]
    step = torch.arange(steps, device=clips.device)[None, :, None, None]
    moved = clips[each, step, from_row[:, None, :, None], from_column[:, None, None, :]]
    contrast = (1 + CONTRAST * chosen[:, 2]).view(batch, 1, 1, 1, 1)
    grey = 127.5 + 255 * BRIGHTNESS * chosen[:, 3].view(batch, 1, 1, 1, 1)
    changed: Tensor = ((moved - 127.5) * contrast + grey).round_().clamp_(0, 255).to(torch.uint8)
    return changed
