"""The contract of every method. test_contract_breaks.py tests that each check fails when the contract is broken."""

from collections.abc import Callable

import torch
from torch import Tensor

from irfuse.fuser import Fuser
from irfuse.imaging.sizes import padded
from irfuse.methods import Spec, build
from irfuse.methods.base import Method

Batch = tuple[Tensor, Tensor]
Build = Callable[[str], Method]

SIZES = ((1, 1), (1, 7), (7, 1), (2, 2), (33, 97))


def check_shape_and_range(method: Method, real: Batch) -> None:
    """Check that the result has the same shape, is float32, finite and in [0, 1], also for extreme inputs."""
    zeros, ones = torch.zeros_like(real[0]), torch.ones_like(real[0])
    for ir, vis in (real, (zeros, zeros), (ones, ones), (zeros, ones), (ones, zeros)):
        with torch.no_grad():
            fused = method(ir, vis)
        assert fused.shape == vis.shape
        assert fused.dtype == torch.float32
        assert fused.isfinite().all()
        assert fused.min() >= 0
        assert fused.max() <= 1


def check_any_size(method: Method) -> None:
    """Check that the Fuser accepts images of every size, padded to the size rule of the method."""
    generator = torch.Generator().manual_seed(0)
    for size in SIZES:
        ir, vis = (torch.rand(1, 1, *size, generator=generator) for _ in range(2))
        fused = Fuser(method, device="cpu")(ir, vis)
        assert fused.shape == vis.shape
        assert fused.isfinite().all()


def check_batch_equals_single(method: Method, real: Batch) -> None:
    """Check that a batch gives the results of its single pairs."""
    with torch.no_grad():
        together = method(*real)
        single = torch.cat([method(ir[None], vis[None]) for ir, vis in zip(*real, strict=True)])
    torch.testing.assert_close(together, single, rtol=0, atol=1e-5)


def check_same_image(method: Method, real: Batch) -> None:
    """Check that fusing an image with itself returns it to 30 dB, since networks lose something."""
    for image in real:
        with torch.no_grad():
            error = ((method(image, image) - image) ** 2).mean()
        assert error <= 1e-3


def check_depends_on_both(method: Method, real: Batch) -> None:
    """Check that neither source is ignored."""
    ir, vis = real
    with torch.no_grad():
        fused = method(ir, vis)
        assert (method(ir.flip(3), vis) - fused).abs().mean() > 1e-3
        assert (method(ir, vis.flip(3)) - fused).abs().mean() > 1e-3


def check_tiled_equals_whole(method: Method, real: Batch) -> None:
    """Check that tiles give the result of the whole image, also at the seams."""
    if method.info.tiling == "whole":
        return
    # The brightness increases along the rows, so that the statistics of a tile differ from those of the whole image.
    ir, vis = (image * torch.linspace(0.2, 1, image.shape[3]) for image in real)
    for height in (96, 91):
        pair = ir[..., :height, :], vis[..., :height, :]
        whole = Fuser(method, device="cpu")(*pair)
        for tile in (32, 47):
            torch.testing.assert_close(Fuser(method, device="cpu", tile=tile)(*pair), whole, rtol=0, atol=1e-5)


def check_receptive_field(method: Method, real: Batch) -> None:
    """Check that no output pixel depends on an input pixel beyond the halo, however weakly."""
    info = method.info
    if info.tiling == "whole":
        return
    reach = padded(info.halo, info.multiple, 0)
    side = padded(2 * reach + 33, info.multiple, info.minimum)
    generator = torch.Generator().manual_seed(0)
    sources = [torch.rand(1, 1, side, side, generator=generator).requires_grad_() for _ in range(2)]
    statistics = None
    if method.needs_statistics:
        statistics = method.measure(*sources, (slice(None), slice(None))).detach()
    center = side // 2
    for pixel in range(center, center + info.multiple):
        fused = method(*sources, statistics)
        gradients = torch.autograd.grad(fused[0, 0, pixel, pixel], sources, allow_unused=True)
        for gradient in gradients:
            far = torch.ones(side, side, dtype=torch.bool)
            far[pixel - info.halo : pixel + info.halo + 1, pixel - info.halo : pixel + info.halo + 1] = False
            assert gradient is not None
            assert not gradient[0, 0][far].any()


def check_deterministic(method: Method, real: Batch) -> None:
    with torch.no_grad():
        assert torch.equal(method(*real), method(*real))


def check_inputs_untouched(method: Method, real: Batch) -> None:
    ir, vis = (image.clone() for image in real)
    with torch.no_grad():
        method(ir, vis)
    assert torch.equal(ir, real[0])
    assert torch.equal(vis, real[1])


def check_spec_round_trip(spec: str, parse: Callable[[str], Spec] = Spec.parse, build: Build = build) -> None:
    """Check that a spec is unchanged by parsing, and that the built method has its parameters."""
    parsed = parse(spec)
    assert str(parsed) == spec
    method = build(spec)
    assert method.info.name == parsed.name
    for name, value in parsed.parameters:
        if name != "weights":
            assert str(getattr(method, name)) == value


def check_devices(method: Method, real: Batch, gpu: torch.device) -> None:
    """Check that a GPU gives the result of the CPU to 1e-4."""
    on_cpu = Fuser(method, device="cpu")(*real)
    on_gpu = Fuser(method, device=str(gpu))(*real)
    torch.testing.assert_close(on_gpu, on_cpu, rtol=0, atol=1e-4)
