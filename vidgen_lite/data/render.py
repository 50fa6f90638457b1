"""Painting a puppet with signed distances.

Every part but the head is a tapered capsule: the set of points within a radius (growing from
``ra`` to ``rb``) of a segment. Its signed distance says how far inside a pixel is, and half a
pixel on either side of zero is the soft edge. Parts are painted from far to near, one operation
for all frames at a time. The head is a ball with its face painted on, so that it turns properly.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from vidgen_lite.data.cast import Puppet
from vidgen_lite.data.scenes import Colour

HEAD = 0  # the head's place in the list of parts


@dataclass
class Parts:
    """Capsules in picture coordinates (fractions, y up), collected part by part."""

    start: list[Tensor] = field(default_factory=list)  # (T, 3) each
    stop: list[Tensor] = field(default_factory=list)
    radii: list[Tensor] = field(default_factory=list)  # (T, 2)
    colours: list[Colour] = field(default_factory=list)
    depth: list[Tensor] = field(default_factory=list)  # (T,)

    def add(
        self,
        start: Tensor,
        stop: Tensor,
        radii: tuple[Tensor | float, Tensor | float],
        colour: Colour,
        nearer: float = 0.0,
    ) -> None:
        """Add a capsule; ``nearer`` moves it towards the camera in the painting order only."""
        self.start.append(start)
        self.stop.append(stop)
        like = start[:, 0]
        self.radii.append(torch.stack([r + torch.zeros_like(like) for r in radii], -1))
        self.colours.append(colour)
        self.depth.append(0.5 * (start[:, 2] + stop[:, 2]) + nearer)


def _mix(a: Colour, b: Colour, weight: float) -> Colour:
    return tuple((1 - weight) * p + weight * q for p, q in zip(a, b, strict=True))  # type: ignore[return-value]


def head_axes(directions_face: Tensor, directions_up: Tensor) -> Tensor:
    """(T, 3, 3): the head's left, up and front as rows, orthonormal."""
    front = directions_face
    up = directions_up - (directions_up * front).sum(-1, keepdim=True) * front
    up = up / up.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    return torch.stack([torch.linalg.cross(up, front), up, front], 1)


def puppet_parts(puppet: Puppet, joints: dict[str, Tensor], axes: Tensor) -> Parts:
    """Dress the joints: every capsule of one puppet over T frames."""
    parts, g = Parts(), puppet.girth
    head, neck, pelvis = joints["head"], joints["spine"], joints["pelvis"]
    parts.add(head, head, (-1.0, -1.0), puppet.skin, nearer=0.035)  # painted by _paint_head

    shoulder_line = joints["l_collar"] - joints["r_collar"]
    hip_line = joints["l_hip"] - joints["r_hip"]
    deep = 0.062 * g
    chest = deep + 0.2 * puppet.shoulders * g**0.5 * _facing(shoulder_line)
    waist = deep * 1.02 + 0.016 * g * _facing(hip_line)
    top = neck + (pelvis - neck) * 0.36
    low = neck + (pelvis - neck) * 0.88
    parts.add(top, low, (chest, waist), puppet.shirt, nearer=-0.02)
    hips = 0.055 * g
    parts.add(joints["r_hip"], joints["l_hip"], (hips, hips), puppet.trousers, nearer=-0.08)
    parts.add(neck, head, (0.036, 0.036), _mix(puppet.skin, (0, 0, 0), 0.12), nearer=-0.03)

    bare = puppet.legs != "trousers"
    if puppet.legs == "dress":
        hem = pelvis + 0.55 * (0.5 * (joints["l_thigh"] + joints["r_thigh"]) - pelvis)
        spread = (joints["l_thigh"] - joints["r_thigh"])[:, :2].norm(dim=-1)
        parts.add(pelvis, hem, (waist, waist * 1.12 + 0.28 * spread), puppet.trousers, nearer=0.01)
    for side in "rl":
        hip, knee = joints[f"{side}_hip"], joints[f"{side}_thigh"]
        ankle, toe = joints[f"{side}_shin"], joints[f"{side}_foot"]
        thigh = puppet.skin if puppet.legs == "dress" else puppet.trousers
        parts.add(hip, knee, (0.054 * g, 0.044 * g), thigh, nearer=-0.07)
        shin = puppet.skin if bare else puppet.trousers
        parts.add(knee, ankle, (0.040 * g, 0.034 * g), shin, nearer=-0.075)
        parts.add(ankle, toe, (0.037, 0.031), puppet.shoes, nearer=-0.065)
    for side in "rl":
        shoulder, elbow = joints[f"{side}_collar"], joints[f"{side}_arm"]
        wrist = joints[f"{side}_forearm"]
        parts.add(shoulder, elbow, (0.041 * g, 0.036 * g), puppet.shirt)
        fore = puppet.shirt if puppet.sleeves else puppet.skin
        parts.add(elbow, wrist, (0.034 * g, 0.030 * g), fore, nearer=0.004)
        hand = wrist + 0.25 * (wrist - elbow)
        parts.add(hand, hand, (0.036, 0.036), puppet.skin, nearer=0.008)
    _add_hair(parts, puppet, head, axes)
    return parts


def _facing(line: Tensor) -> Tensor:
    """How much of a left-right line the camera sees: 1 from the front, 0 from the side."""
    return line[:, :2].norm(dim=-1) / line.norm(dim=-1).clamp(min=1e-6)


def _add_hair(parts: Parts, puppet: Puppet, head: Tensor, axes: Tensor) -> None:
    r = puppet.head
    left, up, front = axes.unbind(1)
    style = puppet.hair_style

    def at(sideways: float, high: float, forward: float) -> Tensor:
        return head + r * (sideways * left + high * up + forward * front)

    behind = 0.03  # the same step towards the camera that the head takes
    if style == "long":
        parts.add(at(0, 0.1, -0.25), at(0, -0.75, -0.38), (r * 0.98, r * 0.88), puppet.hair, -0.035)
    elif style == "bun":
        parts.add(at(0, 1.12, -0.25), at(0, 1.12, -0.25), (r * 0.46, r * 0.46), puppet.hair, behind)
    elif style == "curls":
        parts.add(at(0, 0.34, -0.2), at(0, 0.34, -0.2), (r * 1.16, r * 1.16), puppet.hair, behind)
    elif style == "cap":
        parts.add(
            at(0.45, 0.52, 0.85),
            at(-0.45, 0.52, 0.85),
            (r * 0.2, r * 0.2),
            _mix(puppet.hair, (0, 0, 0), 0.25),
            behind + 0.03,
        )
    elif style == "beanie":
        parts.add(at(0, 1.15, 0), at(0, 1.15, 0), (r * 0.3, r * 0.3), (0.96, 0.93, 0.86), behind)
    elif style == "crest":
        parts.add(at(0, 0.95, 0.35), at(0, 0.85, -0.5), (r * 0.3, r * 0.36), puppet.hair, behind)


def paint_puppet(
    puppet: Puppet, joints: dict[str, Tensor], axes: Tensor, *, size: int
) -> tuple[Tensor, Tensor]:
    """Paint one puppet on nothing.

    Args:
        joints: name to (T, 3) places, in fractions of the picture, y up.
        axes: (T, 3, 3) from ``head_axes``.
        size: height and width in pixels.

    Returns:
        The puppet's light (T, 3, S, S) in [0, 1], already multiplied by its cover, and the
        share of the background that is still seen (T, S, S).
    """
    parts, head = puppet_parts(puppet, joints, axes), joints["head"]
    light = head.new_zeros(len(head), 3, size, size)
    clear = head.new_ones(len(head), size, size)
    order = torch.stack(parts.depth, 1).argsort(dim=1, stable=True)  # (T, P), far to near
    pick = order[..., None].expand(-1, -1, 2)
    scale, origin = head.new_tensor([size, -size]), head.new_tensor([0, size])
    a, b = (  # (T, P, 2): both ends in pixels, y down, in painting order
        (torch.stack(ends, 1)[..., :2] * scale + origin).gather(1, pick)
        for ends in (parts.start, parts.stop)
    )
    radii = (torch.stack(parts.radii, 1) * size).gather(1, pick)
    colours = head.new_tensor(parts.colours)[order]  # (T, P, 3)
    windows = _windows(a, b, radii, size)
    grid = torch.arange(size, device=head.device, dtype=head.dtype) + 0.5
    heads = (order == HEAD).T.tolist()
    for p, (x0, y0, x1, y1) in enumerate(windows):
        here = [t for t, is_head in enumerate(heads[p]) if is_head]
        if here:
            _paint_head(light, clear, puppet, head, axes, here)
        if len(here) == len(head) or x0 >= x1 or y0 >= y1:
            continue
        cover, shade = _capsule(grid[x0:x1], grid[y0:y1], a[:, p], b[:, p], radii[:, p])
        where = (..., slice(y0, y1), slice(x0, x1))
        _lay_over(light[where], clear[where], cover, shade * cover, colours[:, p, :, None, None])
    # The shade of a bright colour may reach past white.
    return torch.minimum(light, (1 - clear)[:, None]), clear


def _windows(a: Tensor, b: Tensor, radii: Tensor, size: int) -> list[list[int]]:
    """For each part, the box that holds it in every frame: x0, y0, x1, y1 in whole pixels."""
    reach = radii.amax(-1, keepdim=True) + 1
    low = (torch.minimum(a, b) - reach).amin(0).floor()
    high = (torch.maximum(a, b) + reach).amax(0).ceil()
    return torch.cat([low, high], -1).clamp(0, size).long().tolist()


def _capsule(x: Tensor, y: Tensor, a: Tensor, b: Tensor, radii: Tensor) -> tuple[Tensor, Tensor]:
    """Cover and shade (T, H, W) of a tapered capsule, seen at pixel centres x (W,) and y (H,)."""
    ab = b - a
    along = ab / (ab.square().sum(-1, keepdim=True) + 1e-6)
    dx, dy = x - a[:, :1], y - a[:, 1:]  # (T, W), (T, H)
    # Where on the segment the nearest point lies, 0 at a and 1 at b.
    h = (dx * along[:, :1])[:, None, :] + (dy * along[:, 1:])[:, :, None]
    h.clamp_(0, 1)
    ex = torch.addcmul(dx[:, None, :], h, -ab[:, 0, None, None])
    ey = torch.addcmul(dy[:, :, None], h, -ab[:, 1, None, None])
    distance = ex.mul_(ex).addcmul_(ey, ey).sqrt_()
    grow = radii[:, 1] - radii[:, 0]
    radius = h.mul_(grow[:, None, None]).add_(radii[:, 0, None, None])
    cover = (radius - distance).add_(0.5).clamp_(0, 1)
    # Darker towards the rim, like felt: it keeps an arm apart from the shirt behind it.
    rim = distance.div_(radius.clamp_(min=0.5)).square_().clamp_(max=1)
    return cover, rim.mul_(-0.28).add_(1.08)


def _lay_over(light: Tensor, clear: Tensor, cover: Tensor, amount: Tensor, colour: Tensor) -> None:
    rest = 1 - cover
    clear.mul_(rest)
    light.mul_(rest[:, None]).addcmul_(colour, amount[:, None])


def _paint_head(
    light: Tensor, clear: Tensor, puppet: Puppet, head: Tensor, axes: Tensor, here: list[int]
) -> None:
    """Lay the head over the frames listed in ``here``."""
    size, frames = light.shape[-1], len(head)
    every = len(here) == frames
    head, axes = (head, axes) if every else (head[here], axes[here])
    r = puppet.head * size
    middle = torch.stack([head[:, 0], 1 - head[:, 1]], -1) * size
    [(x0, y0, x1, y1)] = _windows(
        middle[:, None], middle[:, None], middle.new_full((1, 1, 1), r), size
    )
    x = torch.arange(x0, x1, device=head.device, dtype=head.dtype) + 0.5
    y = torch.arange(y0, y1, device=head.device, dtype=head.dtype) + 0.5
    qx = ((x - middle[:, :1]) / r)[:, None, :]  # in head radii, to the right
    qy = ((middle[:, 1:] - y) / r)[:, :, None]  # up
    square = qx * qx + qy * qy
    qz = (1 - square).clamp_(min=0).sqrt_()
    # The point of the ball that a pixel sees, in the head's own axes.
    left, up, front = (
        qx * axis[:, 0, None, None] + qy * axis[:, 1, None, None] + qz * axis[:, 2, None, None]
        for axis in axes.unbind(1)
    )
    cover = ((1 - square.sqrt()) * r + 0.5).clamp_(0, 1)
    paint = _face(puppet, left, up, front, r)
    amount = cover * (1.05 - 0.22 * square.clamp_(max=1))
    frame = slice(None) if every else here
    where = (..., slice(y0, y1), slice(x0, x1))
    below, hole = light[frame], clear[frame]  # views if every frame is here, else copies
    _lay_over(below[where], hole[where], cover, amount, paint)
    if not every:
        light[frame], clear[frame] = below, hole


def _face(puppet: Puppet, left: Tensor, up: Tensor, front: Tensor, r: float) -> Tensor:
    """Colour (T, 3, H, W) of the points of a unit ball; ``r`` is its radius in pixels."""

    def soft(inside: Tensor) -> Tensor:
        return (inside * r + 0.5).clamp_(0, 1)

    def colour(value: Colour) -> Tensor:
        return left.new_tensor(value)[None, :, None, None]

    ahead = soft(front * 1.5)
    side = left.abs()
    cheeks = (1 - ((side - 0.6).square() + (up + 0.3).square()) / 0.07).clamp_(0, 1) * ahead
    eye = ((side - 0.40).square() / 0.17**2 + (up - 0.02).square() / 0.24**2).sqrt_()
    eyes = soft((1 - eye) * 0.19) * ahead
    smile = 0.085 - (up + 0.52 - 0.55 * left.square()).abs()
    mouth = soft(torch.minimum(smile, 0.42 - side)) * ahead
    if puppet.hair_style in ("cap", "beanie"):
        hair = soft(up - 0.30)
    elif puppet.hair_style == "bald":
        hair = torch.zeros_like(up)
    elif puppet.hair_style == "crest":
        hair = soft(up - 0.9 * front + 0.05 - 0.35 * side)
    else:
        hair = soft(up - 1.0 * front + 0.42 - 0.15 * side)
    blush = _mix(puppet.skin, (0.95, 0.3, 0.3), 0.5)
    lips, pupils = (0.62, 0.12, 0.14), (0.10, 0.07, 0.10)
    paint = colour(puppet.skin).lerp(colour(blush), cheeks[:, None])
    for shade, cover in ((lips, mouth), (pupils, eyes), (puppet.hair, hair)):
        paint = paint.lerp_(colour(shade).expand_as(paint), cover[:, None].expand_as(paint))
    return paint
