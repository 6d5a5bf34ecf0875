"""Makes the recogniser of the engine `rapidocr` in int8, `ocrqueue/engines/rapidocr/int8/recogniser.zip`.

`python -m scripts.int8_recogniser FOLDER`, after `pip install nncf==3.4.0`. FOLDER has a manifest.json (see
docs/benchmarks.md). Lines of every second document of each class calibrate the network; the others are left for checks.
The result is the network in RapidOCR's wheel without its last layer, as OpenVINO's IR: most convolutions in int8, and
the rest in f32. It takes some minutes. The new SHA-256 goes into `weights.py`.

Two runs give the same bytes with the same code, documents and packages: how lines are found and cut decides which are
seen. The code that made the network is that of the commit that brought it (`git log` of the file).
"""

import hashlib
import os
import random
import sys
import tempfile
import zipfile
from collections import defaultdict
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import cv2
import nncf
import numpy as np
import openvino
from nncf.quantization.range_estimator import RangeEstimatorParametersSet
from numpy.typing import NDArray
from openvino import opset13

from bench.support import corpus
from ocrqueue.documents import open_document
from ocrqueue.engines.rapidocr.lines import (
    PageReader,
    ReaderSettings,
    cut,
    padded_width,
    resized,
    shown_width,
)
from ocrqueue.engines.rapidocr.networks import OpenVino, model_in
from ocrqueue.engines.rapidocr.recogniser import body_of
from ocrqueue.engines.rapidocr.weights import INT8, weights
from ocrqueue.limits import Limits
from ocrqueue.upright import upright
from ocrqueue.vision.ppocr import LINE_HEIGHT, network_input

PAGES = 3  # of each document at most
LINES = 300
CORRECTING = 100  # of these lines
LONGEST = 1536  # pixels; longer lines are squeezed, since they would need much memory
SHORTEST = 2  # widths per height
NOT_USED = ("rotated", "format")  # classes: copies of other pages


def calibrating(entries: list[corpus.Entry]) -> list[corpus.Entry]:
    """Every second document of each class."""
    by_class: dict[str, list[corpus.Entry]] = defaultdict(list)
    for entry in entries:
        by_class[entry.cls].append(entry)
    return [entry for cls, found in by_class.items() if cls not in NOT_USED for entry in found[::2]]


def lines_of(entry: corpus.Entry, reader: PageReader) -> list[NDArray[np.float32]]:
    """The lines of a document as the recogniser is shown them."""
    lines = []
    with open_document(entry.file, Limits()) as document:
        for number in range(1, min(entry.pages, PAGES) + 1):
            image = upright(document.render(number, None, 200), Limits().max_pixels, entry.file.name).image
            pixels = cv2.cvtColor(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2BGR).astype(np.uint8, copy=False)
            crops = [cut(pixels, box.shown) for box in reader.find(pixels)]
            lines += [shown(crop) for crop in crops if crop.shape[1] > SHORTEST * crop.shape[0]]
    return lines


def shown(crop: NDArray[np.uint8]) -> NDArray[np.float32]:
    """A line as the recogniser is shown it."""
    wide = min(LONGEST, shown_width(crop.shape[1], crop.shape[0], ReaderSettings()))
    return network_input(resized(crop, wide, LINE_HEIGHT), padded_width(wide))[None]


def chosen(folder: Path) -> list[NDArray[np.float32]]:
    """Lines to calibrate on: one of each document in turn, in random order."""
    chance = random.Random(5)
    reader = PageReader(weights(), OpenVino, ReaderSettings(), "f32")
    by_document = [lines_of(entry, reader) for entry in calibrating(corpus.load(folder))]
    for lines in by_document:
        chance.shuffle(lines)
    picked = [line for line in chain.from_iterable(zip_longest(*by_document)) if line is not None][:LINES]
    chance.shuffle(picked)
    return picked


def in_f32(model: Any) -> list[str]:
    """The names of the convolutions that win no time in int8.

    OpenVINO computes depthwise convolutions in f32 all the same, the first convolution takes as long in both, and those
    of the attention to channels have one column.
    """
    first, *others = convolutions(model)
    return [first.get_friendly_name()] + [
        op.get_friendly_name()
        for op in others
        if op.get_type_name() == "GroupConvolution" or op.get_output_partial_shape(0)[3] == 1
    ]


def correct(network: Any, original: Any, lines: list[NDArray[np.float32]]) -> None:
    """Change the biases: the mean of each channel after each convolution in int8 becomes that of the original.

    They are changed in order, so that each also makes up for the errors of those before it (Nagel et al., Data-Free
    Quantization, 2019, appendix D). NNCF's own correction takes more time and leaves more error (docs/benchmarks.md).
    """
    exact = {op.get_friendly_name(): op for op in convolutions(original)}
    changed = []
    for op in convolutions(network):
        found, wanted = addition_to(op), addition_to(exact[op.get_friendly_name()])
        if found and wanted and op.input_value(0).get_node().get_type_name() == "FakeQuantize":
            changed.append((*found, wanted[0]))
    for (node, number, _), mean in zip(changed, means(original, [node for *_, node in changed], lines), strict=True):
        bias = value_of(node, number)
        replace(node, number, (bias + (mean - means(network, [node], lines)[0]).reshape(bias.shape)).astype(np.float32))
    network.validate_nodes_and_infer_types()


def means(model: Any, nodes: list[Any], lines: list[NDArray[np.float32]]) -> list[NDArray[np.float64]]:
    """The mean of each channel after each of these nodes, over all columns of the lines."""
    parts = [opset13.reduce_mean(node.output(0), opset13.constant([0, 2, 3])) for node in nodes]
    network = OpenVino(openvino.Model([opset13.concat(parts, 0)], model.get_parameters(), "means"), rounds=False)
    total = sum(network(line).astype(np.float64) * line.shape[3] for line in lines)
    ends = np.cumsum([part.get_output_partial_shape(0)[0].get_length() for part in parts])[:-1]
    return np.split(total / sum(line.shape[3] for line in lines), ends)


def convolutions(model: Any) -> list[Any]:
    """All convolutions of a model, in order."""
    kinds = ("Convolution", "GroupConvolution")
    return [op for op in model.get_ordered_ops() if op.get_type_name() in kinds]


def addition_to(op: Any) -> tuple[Any, int] | None:
    """The operation that adds a constant to a convolution, and the number of its input; None if there is none."""
    for target in op.output(0).get_target_inputs():
        node = target.get_node()
        if node.get_type_name() == "Add":
            for i in range(2):
                if node.input_value(i).get_node().get_type_name() == "Constant":
                    return node, i
    return None


def value_of(node: Any, number: int) -> NDArray[np.float32]:
    """The values of a constant that is this input of a node."""
    return np.array(node.input_value(number).get_node().get_data())


def replace(node: Any, number: int, values: NDArray[np.float32]) -> None:
    """Make these values an input of a node."""
    node.input(number).replace_source_output(opset13.constant(values).output(0))


def named(network: Any) -> Any:
    """This network with names by order: OpenVINO's numbers depend on all operations that were made before."""
    for number, op in enumerate(network.get_ordered_ops()):
        op.set_friendly_name(f"{op.get_type_name()}_{number}")
    return network


def main() -> None:
    """Make the network and write it."""
    os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX512_CORE_VNNI"  # as the processors for which it is made
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])  # one thread: sums in a fixed order
    lines = chosen(Path(sys.argv[1]))
    print(f"{len(lines)} lines", flush=True)
    original = body_of(model_in(weights()["Rec"].file))
    network = nncf.quantize(
        original,
        nncf.Dataset(lines),
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=len(lines),
        model_type=nncf.ModelType.TRANSFORMER,
        ignored_scope=nncf.IgnoredScope(names=in_f32(original), types=["MatMul"], validate=False),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            disable_bias_correction=True,  # see `correct`
            activations_range_estimator_params=RangeEstimatorParametersSet.HISTOGRAM,
        ),
    )
    correct(network, original, lines[:CORRECTING])
    write(network, INT8["Rec"])
    write(named(model_in(INT8["Rec"])), INT8["Rec"])


def write(network: Any, file: Path) -> None:
    """Write a network into its archive."""
    with (
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out,
    ):
        openvino.save_model(network, Path(folder) / f"{file.stem}.xml", compress_to_fp16=False)
        for name in (f"{file.stem}.xml", f"{file.stem}.bin"):
            out.writestr(zipfile.ZipInfo(name), (Path(folder) / name).read_bytes(), zipfile.ZIP_DEFLATED)
    print(file, file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
