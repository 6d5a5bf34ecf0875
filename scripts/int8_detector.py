"""Makes the detector of the engine `rapidocr` in int8, `ocrqueue/engines/rapidocr/int8/detector.zip`.

`python -m scripts.int8_detector FOLDER`, after `pip install nncf==3.4.0`. FOLDER has a manifest.json (see
docs/benchmarks.md). Pages of every second document of each class calibrate the network; the others are left for checks.
The result is the network in RapidOCR's wheel as OpenVINO's IR: the convolutions of the backbone and of the last layers
in int8, and the rest in f32. It takes some minutes. The new SHA-256 goes into `weights.py`.
"""

import sys
from pathlib import Path
from typing import Any

import cv2
import nncf
import numpy as np
from numpy.typing import NDArray

from bench.support import corpus
from ocrqueue.documents import open_document
from ocrqueue.engines.rapidocr.lines import PageReader, ReaderSettings
from ocrqueue.engines.rapidocr.networks import OpenVino, model_in
from ocrqueue.engines.rapidocr.weights import INT8, weights
from ocrqueue.limits import Limits
from ocrqueue.upright import upright
from scripts.int8_recogniser import calibrating, convolutions, in_f32, write

PAGES = 2  # of each document at most
# The convolutions of the neck, in which features of four sizes meet: four of them change the output more, each alone in
# int8, than all of the backbone does, and f32 takes no longer.
NECK = frozenset(f"Conv.{number}" for number in (54, 57, 60, 63, 67, 71, 75, 79))
# What computes in int8, or passes it on. An activation that also goes elsewhere goes there as it is: its layers are
# fused in f32 only.
COMPUTES = ("Convolution", "ConvolutionBackpropData", "MaxPool", "Concat")


class Recorder:
    """Stands for the detector: keeps what it is shown, and finds nothing."""

    precision = "f32"

    def __init__(self) -> None:
        self.shown: list[NDArray[np.float32]] = []

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """No score at all."""
        self.shown.append(batch.copy())
        return np.zeros((1, 1, *batch.shape[2:]), np.float32)

    def release(self) -> None:
        """Do nothing."""


def inputs(folder: Path) -> list[NDArray[np.float32]]:
    """What the detector is shown of the pages to calibrate on."""
    reader, recorder = PageReader(weights(), OpenVino, ReaderSettings(), "f32"), Recorder()
    reader._detector = recorder
    for entry in calibrating(corpus.load(folder)):
        with open_document(entry.file, Limits()) as document:
            for number in range(1, min(entry.pages, PAGES) + 1):
                image = upright(document.render(number, None, 200), Limits().max_pixels, entry.file.name).image
                reader.find(cv2.cvtColor(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2BGR).astype(np.uint8))
    return recorder.shown


def pass_on(network: Any) -> None:
    """Give the activations that are rounded for a convolution to all other layers as they are."""
    for op in network.get_ordered_ops():
        if op.get_type_name() != "FakeQuantize" or op.input_value(0).get_node().get_type_name() == "Constant":
            continue
        for target in op.output(0).get_target_inputs():
            if target.get_node().get_type_name() not in COMPUTES:
                target.replace_source_output(op.input_value(0))


def main() -> None:
    """Make the network and write it."""
    shown = inputs(Path(sys.argv[1]))
    print(f"{len(shown)} pages", flush=True)
    model = model_in(weights()["Det"].file)
    left_out = {*in_f32(model), *NECK}
    names = (op.get_friendly_name() for op in convolutions(model))
    exact = [name for name in names if name in left_out]  # each once and in order: NNCF writes them into the network
    network = nncf.quantize(
        model,
        nncf.Dataset(shown),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(shown),
        ignored_scope=nncf.IgnoredScope(names=exact),
    )
    pass_on(network)
    network.validate_nodes_and_infer_types()
    write(network, INT8["Det"])


if __name__ == "__main__":
    main()
