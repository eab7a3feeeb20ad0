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

    def title(self):
        return f"{self.name}, {self.shape}"

    def arguments(self):
        return ["--pattern", self.pattern, "--frame-size", str(self.frame_size),
                "--macs-per-port", str(self.macs), "--mode", self.mode, "--buffers", self.buffers,
                "--shape", self.shape]


PLAIN = [
    Cell("pair-64", 2, "pair", 64),
    Cell("pair-64-256macs-touch", 2, "pair", 64, macs=256, mode="touch"),
    Cell("pair-64-256macs-touch-scattered", 2, "pair", 64, macs=256, mode="touch",
         buffers="scattered"),
    Cell("pair-1518", 2, "pair", 1518),
    Cell("mesh8-64", 8, "mesh", 64),
    Cell("incast7-64", 8, "incast", 64),
]
SHAPES = ["direct", "indirect3"]


def select(names, shapes):
    """Cells in an order that needs each set of switches once."""
    return [dataclasses.replace(cell, shape=shape) for cell in PLAIN for shape in shapes
            if not names or cell.name in names]
