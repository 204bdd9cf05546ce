"""`irfuse train`, as a user meets it."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from irfuse import weights
from irfuse.io import images
from irfuse.io.pairs import Pair
from irfuse.training import card
from tests.conftest import Run

TOY = '''
from dataclasses import dataclass
from typing import Annotated

import torch

from irfuse import weights
from irfuse.training import card, loop, provenance
from irfuse.training.reading import read_gray
from irfuse.training.recipes.base import Recipe, Session, Trained
from irfuse.training.settings import Range


@dataclass(frozen=True)
class ToyRecipe(Recipe):
    """Learn the mean of some images.

    Attributes:
        steps: number of steps.
        rate: learning rate.
    """

    name = method = "toy"
    uses = ("images",)

    steps: Annotated[int, Range(min=1)] = 20
    rate: Annotated[float, Range(above=0)] = 0.1

    def train(self, data, session):
        task, checkpoint = Task(self, data.images), provenance.checkpoint(session.output)
        history = loop.run(
            task, self.steps, checkpoint, self.as_dict(), resume=session.resume, on_step=session.on_step
        )
        files = provenance.listed(data.images)
        weights.save(task.network, provenance.header(self, files, session, history.seconds), session.output)
        written = card.write(session.output, history, {}, "")
        checkpoint.unlink()
        return Trained(session.output, written)


class Task:
    def __init__(self, recipe, images):
        self.images = [torch.from_numpy(read_gray(path)) for path in images]
        self.network = torch.nn.Linear(1, 1)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=recipe.rate)
        self.parts = {"network": self.network, "optimizer": self.optimizer}

    def step(self):
        loss = sum((self.network.bias - image).square().mean() for image in self.images)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"total": loss.item()}
'''


@pytest.fixture
def parts(folders: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Small parts of the samples, one of the pairs in a folder of its own, `kept`; and no drawing of curves."""
    monkeypatch.setattr(card, "_curves", lambda history: b"")
    for role in ("ir", "vis"):
        (folders / "kept" / role).mkdir(parents=True)
        for path in (folders / role).iterdir():
            images.write(path, images.read(path)[100:164, 100:196])
        (folders / role / "tno_01.png").rename(folders / "kept" / role / "tno_01.png")
    return folders


def words(text: str) -> list[str]:
    return text.split()


def test_train(run: Run, tno_01: Pair, tmp_path: Path) -> None:
    weights = tmp_path / "mine.safetensors"
    options = ["--iterations", "3", "--size", "32", "--test", tno_01.vis, "--device", "cpu"]
    status, _, _ = run("train", "res2netfuse", "--images", tno_01.vis, "-o", weights, *options)
    assert status == 0
    ends = ("safetensors", "md", "toml", "png", "csv")
    assert {path.name for path in tmp_path.iterdir()} == {f"mine.{end}" for end in ends}
    card = (tmp_path / "mine.md").read_text()
    assert f"--images {tno_01.vis}" in card
    assert "| these weights |" in card
    assert len((tmp_path / "mine.csv").read_text().splitlines()) == 4
    assert run("fuse", tno_01.ir, tno_01.vis, "-o", tmp_path / "f.png", "-m", f"res2netfuse:weights={weights}")[0] == 0
    status, _, complaints = run("train", "res2netfuse", "--images", "nothing", "-o", tmp_path / "n.safetensors")
    assert status == 2
    assert "no such file or folder, and no named set" in complaints


def test_train_on_pairs(run: Run, parts: Path, tmp_path: Path) -> None:
    weights, ir, vis, kept = tmp_path / "w.safetensors", parts / "ir", parts / "vis", parts / "kept"
    (vis / "tno_12.png").rename(tmp_path / "gone.png")
    settings = words("--epochs 1 --epoch-steps 2 --batch 1 --size 32 --width 2 --channels 3 --halved-at 1")
    sources = ("--ir", ir, "--vis", vis, "--validation", kept)
    status, printed, complaints = run("train", "encoder-decoder", *sources, *settings, "-o", weights)
    assert status == 0
    assert printed.splitlines() == [f"weights: {weights}", f"model card: {weights.with_suffix('.md')}"]
    assert "warning: " in complaints
    assert "hardly contributes" in complaints
    assert f"no partner: {ir / 'tno_12.png'}" in complaints
    assert "3 pairs to train on, 1 for validation" in complaints
    command = f"--ir {ir} --vis {vis} --validation {kept} {' '.join(settings)} -o w.safetensors"
    assert f"`irfuse train encoder-decoder {command}`" in weights.with_suffix(".md").read_text()
    for arguments, complaint in (
        (("--ir", ir), "both --ir and --vis, or --pairs"),
        (("--ir", ir, "--vis", vis, "--pairs", parts), "both --ir and --vis, or --pairs"),
        ((), "both --ir and --vis, or --pairs"),
        (("--ir", ir, "--vis", vis), "3 pairs are too few to hold some out"),
        (("--pairs", "nothing"), "no named set of pairs (pairs-train, pairs-val, tno21"),
        (("--size", "48"), "size must be a multiple of 32 and at least 32, not 48"),
    ):
        status, _, complaints = run("train", "encoder-decoder", *arguments, "-o", tmp_path / "n.safetensors")
        assert status == 2
        assert complaint in complaints
    assert not (tmp_path / "n.safetensors").exists()


def test_python_and_the_command_agree(run: Run, parts: Path, tmp_path: Path) -> None:
    """They write the same weights, header, card and configuration; only the times differ."""
    by_command, by_python = tmp_path / "c" / "w.safetensors", tmp_path / "p" / "w.safetensors"
    sources = ["--ir", parts / "ir", "--vis", parts / "vis", "--validation", parts / "kept", "--init", "luma"]
    settings = words("--epochs 1 --epoch-steps 2 --batch 1 --size 32 --halved-at 1")
    status, _, _ = run("train", "encoder-decoder", *sources, *settings, "-o", by_command)
    assert status == 0
    code = f"""
from pathlib import Path
from irfuse.training import card
from irfuse.training.data import DataSources, find
from irfuse.training.recipes.encoder_decoder import EncoderDecoderRecipe
from irfuse.training.run import train

card._curves = lambda history: b""
folder = Path({str(parts)!r})
sources = DataSources(ir=folder / "ir", vis=folder / "vis", validation=folder / "kept", init="luma")
recipe = EncoderDecoderRecipe(epochs=1, epoch_steps=2, batch=1, size=32, halved_at=(1,))
train(recipe, find(sources), Path({str(by_python)!r}))
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    one, other = load_file(by_command), load_file(by_python)
    assert all(torch.equal(one[name], other[name]) for name in one.keys() | other.keys())
    headers = [weights.header(file) | {"seconds": 0, "machine": ""} for file in (by_command, by_python)]
    assert headers[0] == headers[1]
    times = ("| SHA-256", "| trained in", "| waiting")
    cards = [file.with_suffix(".md").read_text().splitlines() for file in (by_command, by_python)]
    assert [line for line in cards[0] if not line.startswith(times)] == [
        line for line in cards[1] if not line.startswith(times)
    ]
    for end in (".toml", ".csv"):
        assert by_command.with_suffix(end).read_bytes() == by_python.with_suffix(end).read_bytes()


def test_train_in_two_stages(run: Run, parts: Path, tmp_path: Path) -> None:
    """And again by the configuration file, and on the first stage's result."""
    weights, again, third = (tmp_path / f"{name}.safetensors" for name in ("w", "v", "u"))
    settings = words("--epochs 1 --epoch-steps 2 --batch 1 --size 32 --no-dilated --autoencoder-steps 2")
    sources = ["--images", parts / "vis", "--ir", parts / "ir", "--vis", parts / "vis", "--validation", parts / "kept"]
    status, printed, _ = run("train", "attention-ensemble", *sources, *settings, "-o", weights)
    assert status == 0
    assert printed.splitlines()[0] == f"weights: {weights}"
    assert f"`irfuse train attention-ensemble --images {parts / 'vis'} --ir" in weights.with_suffix(".md").read_text()
    configuration = ["--config", weights.with_suffix(".toml")]
    assert run("train", "attention-ensemble", *configuration, "-o", again)[0] == 0
    assert again.with_suffix(".toml").read_text() == weights.with_suffix(".toml").read_text().replace(
        "w.toml", "v.toml"
    )
    one, other = load_file(weights), load_file(again)
    assert all(torch.equal(one[name], other[name]) for name in one.keys() | other.keys())
    # The data of the command line replaces that of the file.
    first = ["--autoencoder", tmp_path / "w-autoencoder.safetensors", "--pairs", parts]
    (parts / "kept").rename(tmp_path / "kept")
    changed = [*first, "--validation", tmp_path / "kept", "--seed", "1"]
    assert run("train", "attention-ensemble", *configuration, *changed, "-o", third)[0] == 0
    text = third.with_suffix(".toml").read_text()
    assert "images = " not in text
    assert "ir = " not in text
    assert f'pairs = "{parts}"' in text
    assert "seed = 1" in text
    status, _, complaints = run("train", "attention-ensemble", *configuration, *changed, *sources[:2], "-o", third)
    assert status == 2
    assert "give one of --images, --autoencoder and --init" in complaints


def test_the_configuration_file_is_checked(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text("settings.iteration = 3\n")
    status, _, complaints = run("train", "res2netfuse", "--config", file, "-o", tmp_path / "n.safetensors")
    assert status == 2
    assert f"{file}: unknown setting 'iteration'; did you mean 'iterations'?" in complaints
    file.write_text('settings.decay = "none"\nsettings.more_sizes = [16, 17]\n')
    status, _, complaints = run("train", "res2netfuse", "--config", file, "-o", tmp_path / "n.safetensors")
    assert status == 2
    assert "there are no images to train on: give --images" in complaints


def test_help_is_made_from_the_recipe(run: Run) -> None:
    status, printed, _ = run("train", "--help")
    assert status == 0
    assert all(name in printed for name in ("res2netfuse", "encoder-decoder", "attention-ensemble"))
    status, printed, _ = run("train", "res2netfuse", "--help")
    assert status == 0
    assert all(option in printed for option in ("--images", "--test", "--iterations", "--more-sizes", "--config"))
    assert not any(option in printed for option in ("--pairs", "--autoencoder"))
    assert "[default:" in printed
    assert "2000" in printed
    assert "`" not in printed
    assert " cosine lets the learning rate fall" in printed
    status, _, complaints = run("train", "res2netfus", "--help")
    assert status == 2
    assert "unknown recipe 'res2netfus'; did you mean 'res2netfuse'?" in complaints


def test_listing_the_recipes_imports_no_pytorch() -> None:
    code = "import sys; sys.modules['torch'] = None; import irfuse.cli; irfuse.cli.main()"
    for arguments in (["--help"], ["train", "--help"]):
        done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "train" in done.stdout


def test_another_package_adds_a_recipe(run: Run, tno_01: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    information = tmp_path / "irfuse_toy-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: irfuse-toy\nVersion: 1.0\n")
    points = "[irfuse.recipes]\ntoy = irfuse_toy:ToyRecipe\nbroken = irfuse_toy:Nothing\nother = irfuse_toy:Task\n"
    (information / "entry_points.txt").write_text(points)
    (tmp_path / "irfuse_toy.py").write_text(TOY)
    monkeypatch.syspath_prepend(tmp_path)
    assert "From the package irfuse-toy 1.0." in run("train", "--help")[1]
    assert "Number of steps." in run("train", "toy", "--help")[1]
    out = tmp_path / "out" / "toy.safetensors"
    out.parent.mkdir()
    status, _, _ = run("train", "toy", "--images", tno_01.vis, "--steps", "5", "-o", out)
    assert status == 0
    assert {path.name for path in out.parent.iterdir()} == {
        f"toy.{end}" for end in ("safetensors", "md", "toml", "png", "csv")
    }
    losses = [float(line.split(",")[1]) for line in out.with_suffix(".csv").read_text().splitlines()[1:]]
    assert losses == sorted(losses, reverse=True)
    assert (
        f"`irfuse train toy --images {tno_01.vis} --steps 5 -o toy.safetensors`" in out.with_suffix(".md").read_text()
    )
    for name, complaint in (("broken", "AttributeError"), ("other", "is not a subclass of")):
        status, _, complaints = run("train", name, "-o", out)
        assert status == 2
        assert f"irfuse-toy 1.0: the recipe '{name}' cannot be used: " in complaints
        assert complaint in complaints
