"""Lecture 4: Everybody Dance Now (Chan, Ginosar, Zhou and Efros, 2019).

One person's motion, another person's film: poses are the bridge. ``generator``, ``discriminator``
and ``face`` hold the networks, ``losses`` what they minimise, ``steps`` and ``face_steps`` the two
stages of training, ``normalize`` what fits one person's poses to another, and ``transfer`` the
painting of a dance. ``footage`` makes what a model learns from; ``evaluate``, ``nearest`` and
``tables`` measure what it paints, and ``fake_detector`` tries to tell it from the real thing.
"""

from vidgen_lite.everybody_dance_now import (
    evaluate,
    face_steps,
    fake_detector,
    footage,
    nearest,
    normalize,
    perceptual,
    steps,
    tables,
)
from vidgen_lite.everybody_dance_now.discriminator import (
    MultiscaleDiscriminator,
    PatchDiscriminator,
)
from vidgen_lite.everybody_dance_now.face import (
    FaceDiscriminator,
    FaceGenerator,
    FaceUNet,
    corrected_face,
    cut_faces,
    face_boxes,
    paste_faces,
)
from vidgen_lite.everybody_dance_now.footage import Footage
from vidgen_lite.everybody_dance_now.generator import (
    GlobalGenerator,
    LocalEnhancer,
    UNetGenerator,
    feed_back,
)
from vidgen_lite.everybody_dance_now.losses import (
    face_loss,
    feature_matching_loss,
    perceptual_loss,
    pixel_loss,
    smooth_loss,
    stage_1_objective,
    stage_2_objective,
)
from vidgen_lite.everybody_dance_now.normalize import PoseNormalizer, median_poses
from vidgen_lite.everybody_dance_now.perceptual import PuppetFeatures
from vidgen_lite.everybody_dance_now.presets import (
    DATA,
    MODELS,
    enhanced,
    load_data,
    load_stage_1,
    new_state,
    train,
    write_samples,
)
from vidgen_lite.everybody_dance_now.settings import FaceSettings, Settings
from vidgen_lite.everybody_dance_now.transfer import (
    Transferred,
    correct_faces,
    hold_poses,
    transfer,
)

__all__ = [
    "DATA",
    "MODELS",
    "FaceDiscriminator",
    "FaceGenerator",
    "FaceSettings",
    "FaceUNet",
    "Footage",
    "GlobalGenerator",
    "LocalEnhancer",
    "MultiscaleDiscriminator",
    "PatchDiscriminator",
    "PoseNormalizer",
    "PuppetFeatures",
    "Settings",
    "Transferred",
    "UNetGenerator",
    "correct_faces",
    "corrected_face",
    "cut_faces",
    "enhanced",
    "evaluate",
    "face_boxes",
    "face_loss",
    "face_steps",
    "fake_detector",
    "feature_matching_loss",
    "feed_back",
    "footage",
    "hold_poses",
    "load_data",
    "load_stage_1",
    "median_poses",
    "nearest",
    "new_state",
    "normalize",
    "paste_faces",
    "perceptual",
    "perceptual_loss",
    "pixel_loss",
    "smooth_loss",
    "stage_1_objective",
    "stage_2_objective",
    "steps",
    "tables",
    "train",
    "transfer",
    "write_samples",
]
