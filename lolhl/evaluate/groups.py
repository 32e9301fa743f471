"""Groups of frames: what is resampled as a whole. A frame costs four bytes here, however long the names are."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Groups:
    """The group of each frame: a chunk, or a VOD.

    Attributes:
        names: str [g], ascending, each once.
        members: int32 [n], the place of each frame's group among the names.
    """

    names: npt.NDArray[np.str_]
    members: npt.NDArray[np.int32]

    @classmethod
    def from_names(cls, names: npt.ArrayLike) -> "Groups":
        """Of frames whose groups are named one by one.

        Args:
            names: [n], any values that can be told apart; they become strings.
        """
        groups, members = np.unique(np.asarray(names).astype(str), return_inverse=True)
        return cls(groups, members.astype(np.int32))

    @classmethod
    def of_one(cls, name: str, frames: int) -> "Groups":
        """So many frames that are one group."""
        return cls(np.array([name] if frames else [], dtype=np.str_), np.zeros(frames, dtype=np.int32))

    @classmethod
    def joined(cls, parts: Sequence["Groups"]) -> "Groups":
        """The frames of all parts, one after the other; groups of the same name are one."""
        names = np.unique(np.concatenate([np.array([], dtype=np.str_), *(part.names for part in parts)]))
        return cls(names, np.concatenate([np.array([], dtype=np.int32), *(part.among(names) for part in parts)]))

    def among(self, names: npt.NDArray[np.str_]) -> npt.NDArray[np.int32]:
        """The place of each frame's group among other names: int32 [n].

        Args:
            names: str [h], ascending; all groups are among them.
        """
        return np.searchsorted(names, self.names).astype(np.int32)[self.members]

    def where(self, wanted: npt.NDArray[np.bool_]) -> "Groups":
        """Those of some frames; groups of which no frame is left go.

        Args:
            wanted: bool [n].
        """
        places, members = np.unique(self.members[wanted], return_inverse=True)
        return Groups(self.names[places], members.astype(np.int32))

    def __len__(self) -> int:
        return len(self.members)
