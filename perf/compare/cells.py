"""What is measured."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Cell:
    name: str
    ports: int
    pattern: str
    frame_size: int
    macs: int = 1
    mode: str = "rings"
    buffers: str = "in-order"
    shape: str = "direct"
    segment: int = 0  # frames are TCP segments, to be cut into so many bytes
    ring_size: int = 256

    @property
    def compares_bytes(self):
        """Bytes a second, not cycles: not all switches are sent the same frames."""
        return self.segment != 0

    def for_switch(self, switch):
        """What the guests of that switch can send it: without offloads, frames of an MTU."""
        if self.segment and not switch.takes_segments:
            return dataclasses.replace(self, segment=0, frame_size=1518, ring_size=256)
        return self

    def title(self):
        return f"{self.name}, {self.shape}"

    def arguments(self):
        return ["--pattern", self.pattern, "--frame-size", str(self.frame_size),
                "--macs-per-port", str(self.macs), "--mode", self.mode, "--buffers", self.buffers,
                "--shape", self.shape, "--segment", str(self.segment),
                "--ring-size", str(self.ring_size)]


PLAIN = [
    Cell("pair-64", 2, "pair", 64),
    Cell("pair-64-256macs-touch", 2, "pair", 64, macs=256, mode="touch"),
    Cell("pair-64-256macs-touch-scattered", 2, "pair", 64, macs=256, mode="touch",
         buffers="scattered"),
    Cell("pair-1518", 2, "pair", 1518),
    Cell("mesh8-64", 8, "mesh", 64),
    Cell("incast7-64", 8, "incast", 64),
    # Sixteen of them are a megabyte: as much as a connection has under way, and no more than caches
    # hold, as 256 short frames are.
    Cell("pair-64k", 2, "pair", 65230, segment=1448, ring_size=16),
]
SHAPES = ["direct", "indirect3"]


def select(names, shapes):
    """Cells in an order that needs each set of switches once."""
    return [dataclasses.replace(cell, shape=shape) for cell in PLAIN for shape in shapes
            if not names or cell.name in names]
