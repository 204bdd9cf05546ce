"""Damage: what cameras do to images. The network sees it, and the loss does not.

Every function takes and returns images of (H, W) in [0, 1] and draws from a generator.
"""

from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from irfuse.training.reading import Gray


def tone(image: Gray, random: Generator) -> Gray:
    """Change gamma, contrast and brightness."""
    image = image ** np.exp(random.normal(0, 0.25))
    return _clipped(image * random.uniform(0.4, 1.1) + random.uniform(-0.1, 0.3))


def faint(image: Gray, random: Generator) -> Gray:
    """Leave a small part of the contrast, as a scene of one temperature does."""
    return _clipped(image.mean() * random.uniform(0.3, 1) + (image - image.mean()) * random.uniform(0.1, 0.4))


def smooth(image: Gray) -> Gray:
    """Leave only the shading, as of a sky or a wall."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), min(image.shape) / 10), np.float32)


def noisy(image: Gray, random: Generator, most: float) -> Gray:
    """Add noise, whose grain is one pixel or a little more."""
    noise = random.standard_normal(image.shape, np.float32)
    if random.random() < 0.5:
        noise = cv2.GaussianBlur(noise, (0, 0), 0.7) * 2.5
    return _clipped(image + noise * random.uniform(0, most))


def striped(image: Gray, random: Generator, most: float) -> Gray:
    """Add a pattern that is fixed for rows, columns and pixels, as the detectors of infrared cameras have it."""
    height, width = image.shape
    rows, columns = random.standard_normal((height, 1)), random.standard_normal((1, width))
    pixels = random.standard_normal((height, width))
    pattern = random.uniform(0, 1) * rows + random.uniform(0, 1) * columns + random.uniform(0, 0.5) * pixels
    return _clipped(image + pattern * random.uniform(0, most))


def veiled(image: Gray, random: Generator) -> Gray:
    """Cover parts with a bright, soft cloud, as smoke, fog and glare do."""
    shape = (int(random.integers(2, 6)), int(random.integers(2, 6)))
    cloud = cv2.resize(
        random.standard_normal(shape).astype(np.float32), image.shape[::-1], interpolation=cv2.INTER_CUBIC
    )
    cover = random.uniform(0.5, 1) / (1 + np.exp(-4 * (cloud - random.uniform(-0.5, 1))))
    return _clipped(image * (1 - cover) + random.uniform(0.75, 1) * cover)


def shifted(image: Gray, random: Generator, most: float) -> Gray:
    """Move and turn an image by up to `most` pixels, as imperfect registration does."""
    height, width = image.shape
    angle, growth = random.uniform(-most, most, 2) / max(height, width)
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), np.degrees(angle), 1 + growth)
    matrix = matrix + np.pad(random.uniform(-most, most, (2, 1)), ((0, 0), (2, 0)))
    return np.asarray(cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE), np.float32)


def outside(shape: tuple[int, ...], random: Generator) -> NDArray[np.bool_]:
    """Draw where an infrared image sees nothing: beyond one or two straight lines, or everywhere, as a mask."""
    height, width = shape
    if random.random() < 0.15:
        return np.ones(shape, bool)
    y, x = np.mgrid[:height, :width] / max(shape) - 0.5
    mask = np.zeros(shape, bool)
    for _ in range(int(random.integers(1, 3))):
        # Most borders are nearly upright or level.
        angle = np.pi / 2 * random.integers(4) + random.normal(0, 0.05)
        mask |= np.cos(angle) * x + np.sin(angle) * y > random.uniform(0.1, 0.48)
    return mask


def _clipped(image: NDArray[Any]) -> Gray:
    return image.clip(0, 1).astype(np.float32)
