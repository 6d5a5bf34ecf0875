"""Trains the tiny vision-language model of tests/data/tiny-ocr-vlm, an ordinary model in mlx-vlm's format.

    python -m tests.support.tiny_vlm.train --out FOLDER               # about an hour and a half on two cores
    python -m tests.support.tiny_vlm.train --out FOLDER --eval-only   # measure how well it reads, with stock mlx-vlm

On Linux, with OpenBLAS: LD_PRELOAD=/usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3 OPENBLAS_NUM_THREADS=1.
The model learns to read 1 to 3 lines of 1 to 12 characters of `0-9 A-Z space - . / :`, dark on light. For a blank page
it writes nothing, and for a black page an endless "NO NO NO ...", for tests of the code that stops this.
"""

import random
import time
from argparse import ArgumentParser, Namespace
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
from mlx.utils import tree_flatten, tree_map
from numpy.typing import NDArray
from PIL import Image

from tests.support.tiny_vlm.files import CELL, PROMPTS, WORDS, write_files
from tests.support.tiny_vlm.network import ON_CPU, Kernels, Sequence, loss
from tests.support.tiny_vlm.pages import CHARS, DIGITS, FONTS, Grid, Stage, Style, held_out, patchify, sample

LOOP = "NO "  # the repeated answer to a black page
# (share of all pages at which this entry ends, level, stages)
CURRICULUM: list[tuple[float, int, list[Stage]]] = [
    (0.12, 0, [Stage(1, (6, 6), (2, 2), 1, 6)]),  # one size: the model learns alignment first
    (0.25, 1, [Stage(1, (3, 9), (2, 2), 1, 9)]),  # any width
    (0.42, 1, [Stage(1, (2, 10), (2, 3), 1, 10), Stage(2, (3, 9), (3, 4), 1, 9)]),
    (
        1.01,
        2,
        [
            Stage(1, (2, 10), (2, 3), 1, 10, 1.0),
            Stage(2, (3, 9), (3, 4), 1, 9, 1.0),
            Stage(3, (4, 9), (4, 5), 2, 9, 1.6),
            Stage(3, (6, 12), (3, 7), 1, 10, 0.2),  # larger pages
        ],
    ),
]
# (share of all pages, factor of the learning rate); linear in between
RATE = [
    (0.0, 1.0),
    (0.1, 1.0),
    (0.2, 0.5),
    (0.42, 0.3),
    (1.0, 0.003),
]
Batch = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]  # patches, answers given and wanted


def rate(part: float) -> float:
    """The factor of the learning rate after this share of all pages."""
    for (x0, y0), (x1, y1) in pairwise(RATE):
        if part <= x1:
            return y0 + (y1 - y0) * (part - x0) / (x1 - x0)
    return RATE[-1][1]


class Pages:
    """Draws the pages and the prompt of a step."""

    def __init__(self, config: dict[str, Any], tokenizer: Any, seed: int) -> None:
        self._config, self._tokenizer, self._rng = config, tokenizer, random.Random(seed)

    def step(self, part: float) -> tuple[Batch, tuple[list[int], list[int]], tuple[int, int, int]]:
        """A batch, the tokens before and after its images, and (columns, rows, tokens of an answer)."""
        level, stages = next((level, stages) for until, level, stages in CURRICULUM if part < until)
        before = self._encode(f"<|user|>{self._prompt()}<|vision_start|>")
        around = before, self._encode("<|vision_end|><|assistant|>")
        if level >= 1 and self._rng.random() < 0.02:
            return self._black(around)
        grid = self._rng.choices(stages, [stage.weight for stage in stages])[0].draw(self._rng)
        return self._drawn(grid, level), around, (grid.columns, grid.rows, grid.answer)

    def _drawn(self, grid: Grid, level: int) -> Batch:
        pages, answers = [], []
        for _ in range(grid.batch):
            if level >= 1 and self._rng.random() < 0.02:
                page = Image.new("L", (grid.columns * CELL, grid.rows * CELL), self._rng.randint(225, 255))
                text = ""
            else:
                page, text = sample(self._rng, grid, level)
            pages.append(np.asarray(page))
            answers.append(self._answer(text, grid.answer))
        given, wanted = (np.array([answer[i] for answer in answers]) for i in (0, 1))
        return patchify(np.stack(pages), grid.columns, grid.rows), given, wanted

    def _black(
        self, around: tuple[list[int], list[int]], batch: int = 8
    ) -> tuple[Batch, tuple[list[int], list[int]], tuple[int, int, int]]:
        count = 160 if self._rng.random() < 0.3 else 48
        columns, rows = self._rng.choice([(2, 2), (4, 2), (8, 2), (6, 4)])
        ids = self._encode(LOOP * (count // len(LOOP) + 1))[:count]
        size = rows * CELL, columns * CELL
        pages = np.stack([np.full(size, self._rng.randint(0, 40), np.uint8) for _ in range(batch)])
        wanted = np.array([ids] * batch)
        given = np.concatenate([np.zeros((batch, 1), wanted.dtype), wanted[:, :-1]], axis=1)
        return (patchify(pages, columns, rows), given, wanted), around, (columns, rows, count)

    def _answer(self, text: str, count: int) -> tuple[list[int], list[int]]:
        ids = [*self._encode(text), self._config["eos_token_id"][0]]
        wanted = ids + [-1] * (count - len(ids))
        return [0] + [max(token, 0) for token in wanted[:-1]], wanted

    def _prompt(self) -> str:
        if self._rng.random() < 0.6:
            return self._rng.choice(PROMPTS)
        words = [self._rng.choice(WORDS) for _ in range(self._rng.randint(1, 9))]
        if self._rng.random() < 0.3:
            words[0] = words[0].capitalize()
        return " ".join(words) + self._rng.choice(["", ".", ":", "?"])

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False)
        return ids


class Trainer:
    """The model and its two optimisers: Muon for hidden matrices, AdamW for all other parameters.

    On the CPU two threads compute half a batch each, because a function of MLX runs on one core. Each thread has its
    own stream, kernels and copy of the model.
    """

    def __init__(self, config: dict[str, Any], given: Namespace) -> None:
        self._given = given
        self.model = _network(config)
        _start_small(self.model)
        if given.resume:
            self.model.load_weights(given.resume)
        self.model.train()
        mx.eval(self.model.parameters())
        self._adam = optim.AdamW(learning_rate=given.rate, betas=[0.9, 0.98], weight_decay=0.01)
        self._muon = optim.Muon(learning_rate=given.muon_rate, momentum=0.95, weight_decay=0.0)
        self._both = optim.MultiOptimizer(
            [self._muon, self._adam], [lambda path, weight: weight.ndim == 2 and "embed" not in path]
        )
        self._both.init(self.model.trainable_parameters())
        self._state = [self.model.state, self._muon.state, self._adam.state]
        self._update: Any = mx.compile(self._change, inputs=self._state, outputs=self._state)
        self._streams = [mx.new_thread_local_stream(mx.default_device()) for _ in range(2 if ON_CPU else 1)]
        self._kernels = [Kernels() for _ in self._streams]
        self._threads = [ThreadPoolExecutor(1) for _ in self._streams]  # a stream belongs to one thread
        self._models = [self.model, *(_network(config) for _ in self._streams[1:])]
        self._slopes = [nn.value_and_grad(model, loss) for model in self._models]

    def _change(self, *gradients: Any) -> None:
        mean = tree_map(lambda *parts: sum(parts) / len(parts), *gradients)
        self._both.update(self.model, optim.clip_grad_norm(mean, 1.0)[0])

    def step(self, batch: Batch, sequence: Sequence, factor: float) -> tuple[float, float]:
        """Learn from a batch. Returns its loss, and the share of pages that were read correctly."""
        self._adam.learning_rate = mx.array(self._given.rate * factor)
        self._muon.learning_rate = mx.array(self._given.muon_rate * factor)
        for model in self._models[1:]:
            model.update(self.model.parameters())
        count = len(self._streams)
        jobs = [
            thread.submit(self._part, i, [array[i::count] for array in batch], sequence)
            for i, thread in enumerate(self._threads)
        ]
        parts = [job.result() for job in jobs]
        self._update(*[part[1] for part in parts])
        mx.eval(self._state)
        return sum(p[0][0].item() for p in parts) / count, sum(p[0][1].item() for p in parts) / count

    def _part(self, i: int, batch: list[NDArray[Any]], sequence: Sequence) -> Any:
        with mx.stream(self._streams[i]):
            found = self._slopes[i](self._models[i], self._kernels[i], *(mx.array(array) for array in batch), sequence)
            mx.eval(found)
        return found

    def save(self, folder: Path) -> None:
        """Write the weights."""
        weights = dict(tree_flatten(self.model.parameters()))
        mx.save_safetensors(str(folder / "model.safetensors"), weights, {"format": "mlx"})


def _network(config: dict[str, Any]) -> Any:
    from mlx_vlm.models.qwen2_vl import Model, ModelConfig, TextConfig, VisionConfig

    whole = ModelConfig.from_dict(dict(config))
    whole.text_config = TextConfig.from_dict(config)
    whole.vision_config = VisionConfig.from_dict(config["vision_config"])
    return Model(whole)


def _start_small(model: Any) -> None:
    """Start with small weights in the last layers of each block, and small embeddings."""
    embed = model.language_model.model.embed_tokens
    embed.weight = mx.random.normal(embed.weight.shape) * 0.05
    ends = [end for block in model.vision_tower.blocks for end in (block.attn.proj, block.mlp.fc2)]
    ends += [
        end for layer in model.language_model.model.layers for end in (layer.self_attn.o_proj, layer.mlp.down_proj)
    ]
    for end in ends:
        end.weight = end.weight * 0.3


def train(given: Namespace) -> None:
    """Train, and write the model to the folder `out`."""
    np.random.seed(given.seed)
    mx.random.seed(given.seed)
    config, tokenizer = write_files(given.out)
    trainer, pages = Trainer(config, given), Pages(config, tokenizer, given.seed + 1)
    sequences: dict[tuple[int, ...], Sequence] = {}
    seen, steps, started, sums = 0, 0, time.monotonic(), [0.0, 0.0]
    while seen < given.samples:
        part = given.start + (1 - given.start) * seen / given.samples
        batch, around, shape = pages.step(part)
        key = (len(around[0]), *shape)
        if key not in sequences:
            sequences[key] = Sequence(trainer.model, config, around, shape)
        sequences[key].before = mx.array(around[0])
        found = trainer.step(batch, sequences[key], min(1.0, (1 + steps) / 100) * rate(part))
        sums = [total + value for total, value in zip(sums, found, strict=True)]
        steps, seen = steps + 1, seen + len(batch[0])
        if steps % given.every == 0:
            loss_now, right = (total / given.every for total in sums)
            speed = seen / (time.monotonic() - started)
            print(f"{seen} pages ({part:.1%}): loss {loss_now:.4f}, right {right:.3f}, {speed:.0f} pages/s", flush=True)
            sums = [0.0, 0.0]
            trainer.save(given.out)
    trainer.save(given.out)


def evaluate(folder: Path, count: int, seed: int) -> None:
    """Print how well unchanged mlx-vlm reads new pages with the model."""
    from mlx_vlm import generate, load
    from mlx_vlm.prompt_utils import apply_chat_template

    model, processor = load(str(folder))
    prompt = apply_chat_template(processor, model.config, "OCR:", num_images=1)

    def read(page: Image.Image, most: int = 64) -> str:
        return str(generate(model, processor, prompt, [page], max_tokens=most, temperature=0.0).text)

    sets = {f"digits, {n} lines of 4 to 8": held_out(seed, count, n, pool=DIGITS) for n in (1, 2, 3)}
    sets |= {f"A-Z 0-9, {n} lines of 4 to 8": held_out(seed, count, n, pool=CHARS) for n in (1, 2, 3)}
    sets |= {f"all characters, {n} lines of 4 to 8": held_out(seed, count, n) for n in (1, 2, 3)}
    sets["all characters, a line of 1 to 10"] = held_out(seed, count, 1, (1, 10))
    for name in FONTS[1:]:
        sets[f"{name}, A-Z 0-9"] = held_out(seed, count // 2, 0, style=Style(name), pool=CHARS)
    for name, pages in sets.items():
        exact = sum(read(page) == text for page, text in pages)
        print(f"{name:40} {exact}/{len(pages)}", flush=True)
    print("white:", repr(read(Image.new("RGB", (160, 64), "white"))))
    print("black:", repr(read(Image.new("RGB", (128, 32), "black"), 300)[:30]))


def main() -> None:
    """Read the command line, train and evaluate."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("tiny-ocr-vlm"))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--samples", type=int, default=480_000, help="pages to train on")
    parser.add_argument("--rate", type=float, default=2e-3, help="of AdamW")
    parser.add_argument("--muon-rate", type=float, default=0.02)
    parser.add_argument("--resume", help="weights to start from")
    parser.add_argument("--start", type=float, default=0.0, help="share of the curriculum to begin at, with --resume")
    parser.add_argument("--every", type=int, default=100, help="steps between two reports")
    parser.add_argument("--eval-pages", type=int, default=300)
    parser.add_argument("--eval-only", action="store_true")
    given = parser.parse_args()
    if not given.eval_only:
        train(given)
    evaluate(given.out, given.eval_pages, given.seed + 1000)


if __name__ == "__main__":
    main()
