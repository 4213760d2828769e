"""RED-Net for MMPose: recurrent facial landmark detection in video.

========================  =====================================================
``models``                encoder-decoder, recurrent neck, heads, losses and
                          the estimator that owns the loops over steps and time
``codecs``                response maps: drawn on the device, decoded to pixels
``datasets``              video clips, samplers, landmark metainfo
``evaluation``            error of facial landmarks
``engine``                loops that carry state over a video, CPU autocast
``apis``                  following faces in a video, the inferencer
``drawing``               landmarks on frames, frames on a sheet
``shipped``               where the model is that comes with the package
``structures``            the frozen states that go in and come out
========================  =====================================================

Importing the package registers its modules in MMPose's registries, tells
torch which classes an mmengine checkpoint may hold, and makes MMEngine load
local checkpoints, safetensors among them, with our checks. Where nothing is
set, OpenCV is told not to decode pictures of any size. It does nothing else.
"""

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
from rednet_mm.checkpoint_loader import use_own_loader  # noqa: E402
from rednet_mm.checkpoint_safety import (  # noqa: E402
    allow_mmengine_checkpoints,
)

allow_mmengine_checkpoints()
use_own_loader()

__all__ = [
    '__version__',
    'apis',
    'codecs',
    'datasets',
    'engine',
    'evaluation',
    'models',
]
