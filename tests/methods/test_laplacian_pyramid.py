import cv2
import numpy as np
import torch

from irfuse.methods.laplacian_pyramid import LaplacianPyramid


def opencv_pyramid(ir: np.ndarray, vis: np.ndarray, levels: int) -> np.ndarray:
    """Fuse with OpenCV's pyrDown and pyrUp."""
    details = []
    for _ in range(levels):
        halves = [cv2.pyrDown(image, borderType=cv2.BORDER_REPLICATE) for image in (ir, vis)]
        ir_detail, vis_detail = (image - cv2.pyrUp(half) for image, half in zip((ir, vis), halves, strict=True))
        details.append(np.where(np.abs(ir_detail) > np.abs(vis_detail), ir_detail, vis_detail))
        ir, vis = halves
    fused = (ir + vis) / 2
    for detail in reversed(details):
        fused = cv2.pyrUp(fused) + detail
    return fused.clip(0, 1)


def test_equals_opencv_inside_the_border(real_batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    """The border is left out because OpenCV's pyrUp treats it differently."""
    ir, vis = (torch.cat([image, image], dim=2)[:1, :, :160, :128] for image in real_batch)
    fused = LaplacianPyramid()(ir, vis)[0, 0].numpy()
    expected = opencv_pyramid(ir[0, 0].numpy(), vis[0, 0].numpy(), levels=4)
    inside = (slice(62, -62), slice(62, -62))
    assert expected[inside].size > 100
    differing = np.abs(fused - expected)[inside] > 1e-5
    assert differing.mean() == 0
