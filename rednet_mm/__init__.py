"""RED-Net for MMPose: recurrent facial landmark detection in video.

========================  =====================================================
``models``                encoder-decoder, recurrent neck, heads, losses and
                          the estimator that owns the loops over steps and time
``codecs``                heatmaps: encoded on the device, decoded to pixels
``datasets``              video clips, samplers, transforms, metainfo
``engine``                hooks, loops, optimizer wrapper of MMEngine
``evaluation``            metrics
``analysis``              comparison of systems, robustness, reports
``tracking``              tracker, boxes, detectors, networks it runs
``apis``                  inferencer, video reader and writer, logs
``visualization``         drawing
``utils``                 checkpoints, files, errors, command lines
``structures``            the frozen states that go in and come out
========================  =====================================================

Importing the package registers its modules in MMPose's registries, tells
torch which classes an mmengine checkpoint may hold, and makes MMEngine load
local checkpoints, safetensors among them, with our checks. Where nothing is
set, OpenCV is told not to decode images of any size. It does nothing else.
"""

from rednet_mm.utils import untrusted  # noqa: F401  (limits OpenCV)
from rednet_mm.version import __version__, check_mmpose

# Before anything of it is imported.
check_mmpose()

from rednet_mm import (  # noqa: E402
    apis,
    codecs,
    datasets,
    engine,
    evaluation,
    models,
)
from rednet_mm.utils.checkpoint import allow_mmengine_checkpoints  # noqa: E402
from rednet_mm.utils.checkpoint_loader import register_checkpoint_loader  # noqa: E402

allow_mmengine_checkpoints()
register_checkpoint_loader()

__all__ = [
    '__version__',
    'apis',
    'codecs',
    'datasets',
    'engine',
    'evaluation',
    'models',
]
