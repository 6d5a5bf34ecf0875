"""The recogniser: which character stands in each column of a line, and how certain it is.

Its last layer scores each of 18,710 characters in each column, and takes a fifth of all time. Nearly all columns of a
page in Latin letters need few of these scores: a character that is far ahead of all other common characters, with a
high score, is not beaten by a rare one, nor is any with a very high score. So each column is scored for the common
characters alone, and those that are not certain then, or stand in a short line, are scored for all characters, those of
several lines together. If one of them is a rare character, such as a Chinese one, so are all other columns of its line,
except those with a very high score for no character: most columns of a Chinese line.

On processors with AVX2, most of the network computes in int8. Figures: docs/benchmarks.md.
"""

from collections.abc import Iterable, Sequence
from copy import copy
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ocrqueue.engines.rapidocr.networks import Network, OnnxRuntime, OpenVino, model_in
from ocrqueue.engines.rapidocr.weights import Precision, Weights, int8_of

Columns = tuple[NDArray[np.intp], NDArray[np.float32]]  # by column: class of the likeliest character, its confidence
# A column is certain with the first two, or with the third; the values were chosen by measurement.
_SURE = 0.99  # 0 to 1; at least this confidence, compared with the other common characters
_EXPLAINED = 16.0  # at least this score; columns with a rare character have a lower one for each common character
_HIGH = 18.0  # at least this score: it is not beaten, however close another common character is
_SHORT = 24  # columns; no column of a line so short is certain: without neighbours, E looks like ∈, and + like 十
_EMPTY = 24.0  # at least this score for no character: no character beats it, rare or not, in whichever line
_KEPT = 500  # compiled kernels that the body in int8 keeps, those of some 20 widths: they are larger than in f32
_KEPT_FOR_PAGE = 100  # the same for a body that reads one page, by width
_STEP = 16  # columns; on OpenVINO, their number is padded to it, because each new shape costs time and memory
_MOST = 64  # columns that are scored for all characters at once, which bounds the memory for the scores
# Code points of common characters: Latin letters, digits and signs, but no signs that look like a rare character.
_COMMON = (range(0x20, 0x180), range(0x218, 0x21C), range(0x2010, 0x2040), (0x20AC, 0x2122))
_LOOK_ALIKE = "¨´µ·¸¹²³"


class Recogniser(Protocol):
    """A recogniser that is loaded."""

    characters: Sequence[str]  # by class; class 0 is no character
    precision: str  # number type in which it computes, such as "f32"

    def __call__(self, lines: Iterable[NDArray[np.float32]]) -> list[Columns]:
        """Read the images of lines, each of shape (1, 3, height, width), which may differ in width."""
        ...

    def release(self) -> None:
        """Free working memory."""
        ...


class Whole:
    """The network as it is."""

    def __init__(self, network: Network, characters: Sequence[str]) -> None:
        self._network = network
        self.characters = characters
        self.precision = network.precision

    def __call__(self, lines: Iterable[NDArray[np.float32]]) -> list[Columns]:
        """See `Recogniser`."""
        return [_likeliest(self._network(line)[0]) for line in lines]

    def release(self) -> None:
        """See `Recogniser`."""
        self._network.release()


class Split:
    """The network in two parts: the body finds the features of each column, and the head scores all characters."""

    def __init__(
        self, body: Network, head: Network, weights: "Layer", characters: Sequence[str], precision: str | None = None
    ) -> None:
        """`precision` is the body's, if it differs from what the body says."""
        self._body, self._head = body, head
        self._step = 1 if isinstance(head, Head) else _STEP
        self._common = np.array([i for i, character in enumerate(characters) if is_common(character)])
        self._is_common = np.isin(np.arange(len(characters)), self._common)
        self._factors = np.ascontiguousarray(weights[0][:, self._common])
        self._offsets = weights[1][self._common]
        self.characters = characters
        self.precision = precision or body.precision

    def with_body(self, body: Network) -> "Split":
        """This network with another body. They share all else."""
        other = copy(self)
        other._body, other.precision = body, body.precision
        return other

    def __call__(self, lines: Iterable[NDArray[np.float32]]) -> list[Columns]:
        """See `Recogniser`."""
        parts = [self._body(line)[0].copy() for line in lines]  # of each line: columns x features
        if not parts:
            return []
        sizes = np.array([len(part) for part in parts])
        line_of = np.repeat(np.arange(len(parts)), sizes)  # by column of all lines
        features = np.concatenate(parts)
        scores = features @ self._factors + self._offsets
        best = scores.argmax(axis=1)
        top = scores[np.arange(len(scores)), best]
        classes = self._common[best]
        confidences: NDArray[np.float32] = 1 / np.exp(scores - top[:, None]).sum(axis=1)
        is_certain = (confidences >= _SURE) & (top >= _EXPLAINED) | (top >= _HIGH)
        is_certain &= (sizes > _SHORT)[line_of]
        is_empty = (classes == 0) & (top >= _EMPTY)
        self._score_all(features, ~is_empty & ~is_certain, (classes, confidences))
        with_rare = line_of[~self._is_common[classes]]
        self._score_all(features, ~is_empty & is_certain & np.isin(line_of, with_rare), (classes, confidences))
        ends = sizes.cumsum()[:-1]
        return list(zip(np.split(classes, ends), np.split(confidences, ends), strict=True))

    def _score_all(self, features: NDArray[np.float32], wanted: NDArray[np.bool_], found: Columns) -> None:
        """Score all characters in the columns that are wanted, and write the likeliest into `found`."""
        columns = wanted.nonzero()[0]
        for start in range(0, len(columns), _MOST):
            part = columns[start : start + _MOST]
            batch = np.zeros((1, -(-len(part) // self._step) * self._step, features.shape[1]), np.float32)
            batch[0, : len(part)] = features[part]
            found[0][part], found[1][part] = _likeliest(self._head(batch)[0, : len(part)])

    def release(self) -> None:
        """See `Recogniser`."""
        self._body.release()
        self._head.release()


class Head:
    """The last layer in NumPy. It takes as long as on OpenVINO, and needs 30 MB less."""

    precision = "f32"

    def __init__(self, weights: "Layer") -> None:
        self._factors, self._offsets = (np.array(part) for part in weights)  # copies: the model's memory can be freed

    def __call__(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """The probabilities of all characters, for features of shape (1, columns, features)."""
        scores: NDArray[np.float32] = batch @ self._factors
        scores += self._offsets
        scores -= scores.max(axis=2, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=2, keepdims=True)
        return scores

    def release(self) -> None:
        """Do nothing: it keeps no working memory."""


Layer = tuple[NDArray[np.float32], NDArray[np.float32]]  # of the last layer: (features x classes), (classes)


def load(original: Weights, backend: type[OpenVino] | type[OnnxRuntime], precision: Precision) -> Recogniser:
    """The recogniser with these weights: in two parts on OpenVINO, if the network ends as expected; else as it is.

    With "int8", the body computes in int8, if it was made of these weights. Raises ModelUnavailable if it is damaged.
    """
    if backend is OnnxRuntime:
        network = OnnxRuntime(original.file)
        return Whole(network, _by_class(network.characters))
    model, rounds = model_in(original.file), precision == "default"
    characters = _by_class(model.get_rt_info(["framework", "character"]).value.splitlines())
    layer = _last_layer(model)
    if layer is None:
        return Whole(OpenVino(model, rounds=rounds), characters)
    product, weights = layer
    body, rest = _parts(model, product)
    quick = int8_of("Rec", original) if precision == "int8" else None
    if quick:
        return Split(OpenVino(model_in(quick), _KEPT, rounds=False), Head(weights), weights, characters, "int8")
    return Split(OpenVino(body, rounds=rounds), OpenVino(rest, rounds=rounds), weights, characters)


def exact(file: Path, quick: Split) -> Split:
    """The recogniser in this file in f32, for one page; it shares the last layer with the one in int8."""
    return quick.with_body(OpenVino(body_of(model_in(file)), _KEPT_FOR_PAGE, rounds=False))


def body_of(model: Any) -> Any:
    """A model without its last layer. Raises ValueError if it ends in another way than expected."""
    layer = _last_layer(model)
    if layer is None:
        raise ValueError("the recogniser does not end in a matrix product, an addition and a softmax")
    return _parts(model, layer[0])[0]


def is_common(character: str) -> bool:
    """Whether a character is scored in every column: no character, a Latin letter, a digit, or a usual sign."""
    if len(character) != 1:
        return not character
    return character not in _LOOK_ALIKE and any(ord(character) in part for part in _COMMON)


def _by_class(characters: list[str]) -> list[str]:
    return ["", *characters, " "]


def _likeliest(probabilities: NDArray[np.float32]) -> Columns:
    """The likeliest class of each column, and its probability. `probabilities` has the shape columns x classes."""
    best = probabilities.argmax(axis=1)
    return best, probabilities[np.arange(len(best)), best]


def _last_layer(model: Any) -> tuple[Any, Layer] | None:
    """The matrix product of the last layer, and its weights. None if the network ends in another way."""
    nodes = []
    node = model.get_results()[0]
    for kind in ("Result", "Softmax", "Add", "MatMul"):
        while node.get_type_name() == "Identity":
            node = node.input_value(0).get_node()
        if node.get_type_name() != kind:
            return None
        nodes.append(node)
        node = node.input_value(0).get_node()
    constants = [n.input_value(1).get_node() for n in (nodes[3], nodes[2])]
    if any(constant.get_type_name() != "Constant" for constant in constants):
        return None
    factors, offsets = (np.asarray(constant.get_data(), np.float32) for constant in constants)
    return (nodes[3], (factors, offsets)) if factors.ndim == 2 and offsets.shape == factors.shape[1:] else None


def _parts(model: Any, product: Any) -> tuple[Any, Any]:
    """The body and the head of a model, cut before the matrix product of its last layer. They share its constants."""
    from openvino import Model, PartialShape, Type
    from openvino.op import Parameter

    body = Model([product.input_value(0)], model.get_parameters(), "body")
    features = Parameter(Type.f32, PartialShape([1, -1, product.input_value(1).get_shape()[0]]))
    product.input(0).replace_source_output(features.output(0))
    return body, Model(model.get_results(), [features], "head")
