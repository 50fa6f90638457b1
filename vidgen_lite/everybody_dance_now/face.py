"""The face, painted a second time: where it is, what is added to it, and who judges it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidgen_lite.checks import expect_positive, expect_shape
from vidgen_lite.everybody_dance_now.discriminator import PatchDiscriminator
from vidgen_lite.everybody_dance_now.generator import to_rgb, trunk
from vidgen_lite.skeleton import JOINTS, LIMBS, SEEN
from vidgen_lite.unet import UNet

NOSE, EARS = JOINTS.index("nose"), [JOINTS.index("right ear"), JOINTS.index("left ear")]
FACE_SHARE = 0.25  # of a frame's height: the authors cut 128 pixels out of 512


class FaceGenerator(nn.Module):
    """What to add to a painted face: a small global generator (authors' code, ``netG_face``).

    It reads a picture of the stick figure; ``limbs`` says so.

    Args:
        width: channels at full size; 64 is the published number.
        downsamplings: how often the sides are halved; 3 as published.
        blocks: residual blocks at the smallest size; 5 as published.

    Raises:
        ValueError: a count below 1.
    """

    limbs = False

    def __init__(self, *, width: int = 64, downsamplings: int = 3, blocks: int = 5) -> None:
        super().__init__()
        for name, count in {
            "width": width,
            "downsamplings": downsamplings,
            "blocks": blocks,
        }.items():
            expect_positive(name, count)
        self.least = 2**downsamplings
        self.features = nn.Sequential(
            *trunk(6, width=width, downsamplings=downsamplings, blocks=blocks)
        )
        self.to_rgb = to_rgb(width)

    def forward(self, pose: Tensor, face: Tensor) -> Tensor:
        """The residual r = G_f(x_F, G(x)_F).

        Args:
            pose: the stick figure's face, x_F, (B, 3, S, S) in [-1, 1]; S is a multiple of 2 to
                the number of downsamplings, and at least twice that.
            face: the painted face, G(x)_F, likewise.

        Returns:
            (B, 3, S, S) in [-1, 1], to be added to the painted face.
        """
        b, h, w = (expect_shape("pose", pose, "B 3 H W")[axis] for axis in "BHW")
        if h % self.least or w % self.least or min(h, w) < 2 * self.least:
            raise ValueError(
                f"pose: expected sides that are multiples of {self.least} and at least "
                f"{2 * self.least}, got {tuple(pose.shape)}"
            )
        expect_shape("face", face, f"{b} 3 {h} {w}")
        return self.to_rgb(self.features(torch.cat([pose, face], 1)))


class FaceUNet(nn.Module):
    """What to add to a painted face, from a U-Net; not the paper's.

    In a small picture nose, eyes and ears are one spot of the stick figure. So, like
    :class:`.UNetGenerator`, this one reads every limb from a channel of its own.

    Args:
        width: channels at full size.
        downsamplings: how often the sides are halved.

    Raises:
        ValueError: a count below 1.
    """

    limbs = True

    def __init__(self, *, width: int = 32, downsamplings: int = 2) -> None:
        super().__init__()
        self.unet = UNet(c_in=len(LIMBS) + 3, c_out=3, width=width, downsamplings=downsamplings)

    def forward(self, pose: Tensor, face: Tensor) -> Tensor:
        """As :meth:`FaceGenerator.forward`, with the limbs (B, 17, S, S) for a stick figure."""
        b, h, w = (expect_shape("pose", pose, f"B {len(LIMBS)} H W")[axis] for axis in "BHW")
        expect_shape("face", face, f"{b} 3 {h} {w}")
        return self.unet(torch.cat([pose, face], 1)).tanh()


class FaceDiscriminator(nn.Module):
    """Is this face real? One patch discriminator, with batch norm as published.

    Args:
        width: channels of the first level; 64 is the published number.
        norm: ``batch`` as published, or ``instance``.

    Raises:
        ValueError: an unknown norm, or a width below 1.
    """

    def __init__(self, *, width: int = 64, norm: str = "batch") -> None:
        super().__init__()
        self.judge = PatchDiscriminator(c_in=6, width=width, norm=norm)

    def forward(self, pose: Tensor, face: Tensor) -> Tensor:
        """Scores (B, 1, h, w) of faces (B, 3, S, S) and their stick figures (likewise)."""
        expect_shape("pose", pose, "B 3 H W")
        expect_shape("face", face, " ".join(map(str, pose.shape)))
        return self.judge(torch.cat([pose, face], 1))[-1]


def corrected_face(generator: FaceGenerator | FaceUNet, pose: Tensor, face: Tensor) -> Tensor:
    """The painted face with its residual added: G(x)_F + r with r = G_f(x_F, G(x)_F).

    Equation: eq:face-residual

    Args:
        generator: G_f.
        pose: the stick figure's face, x_F, as G_f reads it: (B, 3 or 17, S, S) in [-1, 1].
        face: the painted face, G(x)_F, (B, 3, S, S), likewise.

    Returns:
        (B, 3, S, S), a little beyond [-1, 1] where both agree too well; pasting cuts that off.
    """
    return face + generator(pose, face)


def face_boxes(poses: Tensor, *, size: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Squares around the nose; around the middle between the ears, or one ear, if it is hidden.

    All have the same size, as in the paper, and are moved into the frame where they would leave
    it. A frame in which neither nose nor ear was seen has no box.

    Args:
        poses: (…, 18, 3): x, y in pixels and confidence.
        size: side of the squares in pixels; the paper's is ``FACE_SHARE`` of the frame's height.
        height, width: of the frames in pixels.

    Returns:
        Boxes (…, 4), int64: x0, y0, x1, y1 in whole pixels, x1 and y1 excluded; zeros where there
        is none. And (…), bool: whether there is one.

    Raises:
        ValueError: another shape, or a size that does not fit into the frame.
    """
    if not isinstance(poses, Tensor) or poses.ndim < 2 or poses.shape[-2:] != (len(JOINTS), 3):
        got = tuple(poses.shape) if isinstance(poses, Tensor) else type(poses).__name__
        raise ValueError(f"poses: expected (…, {len(JOINTS)}, 3), got {got}")
    expect_positive("size", size)
    if size > min(height, width):
        raise ValueError(f"size: expected at most {min(height, width)} pixels, got {size}")
    poses = poses.nan_to_num()
    seen = poses[..., 2] >= SEEN
    ears = seen[..., EARS].to(poses.dtype)[..., None]  # (…, 2, 1)
    between = (poses[..., EARS, :2] * ears).sum(-2) / ears.sum(-2).clamp(min=1)
    centre = torch.where(seen[..., NOSE, None], poses[..., NOSE, :2], between)
    there = seen[..., NOSE] | seen[..., EARS].any(-1)
    corner = (centre - size / 2).round().long().clamp(min=0)
    corner = corner.minimum(corner.new_tensor([width - size, height - size]))
    boxes = torch.cat([corner, corner + size], -1)
    return boxes * there[..., None], there


def cut_faces(frames: Tensor, boxes: Tensor) -> Tensor:
    """Cut each frame's face out.

    Args:
        frames: (B, C, H, W).
        boxes: (B, 4) from :func:`face_boxes`, all of one size.

    Returns:
        (B, C, S, S).

    Raises:
        ValueError: a box that is empty or leaves its frame, or boxes of several sizes.
    """
    _expect_boxes(frames, boxes)
    return torch.stack(
        [
            frame[:, y0:y1, x0:x1]
            for frame, (x0, y0, x1, y1) in zip(frames, boxes.tolist(), strict=True)
        ]
    )


def paste_faces(frames: Tensor, faces: Tensor, boxes: Tensor) -> Tensor:
    """Put faces back into their frames, cut to [-1, 1].

    Args:
        frames: (B, 3, H, W) in [-1, 1]; not changed.
        faces: (B, 3, S, S).
        boxes: (B, 4), where each was cut.

    Returns:
        (B, 3, H, W) in [-1, 1].
    """
    side = _expect_boxes(frames, boxes)
    expect_shape("faces", faces, f"{len(frames)} {frames.shape[1]} {side} {side}")
    pasted = frames.clone()
    for i, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        pasted[i, :, y0:y1, x0:x1] = faces[i].clamp(-1, 1)
    return pasted


def _expect_boxes(frames: Tensor, boxes: Tensor) -> int:
    """The side of the boxes, or an error."""
    b, h, w = (expect_shape("frames", frames, "B C H W")[axis] for axis in "BHW")
    expect_shape("boxes", boxes, f"{b} 4")
    corner, side = boxes[:, :2], boxes[:, 2:] - boxes[:, :2]
    if (corner < 0).any() or (boxes[:, 2:] > boxes.new_tensor([w, h])).any():
        raise ValueError(f"boxes: expected them inside a frame of {w}x{h} pixels")
    if len(side) and (side.min() < 1 or side.min() != side.max()):
        raise ValueError("boxes: expected squares of one size; is there a frame without a face?")
    return int(side[0, 0]) if len(side) else 0
