"""The network that is taken where none is named."""

import os
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rednet_mm.tracking.network import FaceNetwork
from rednet_mm.tracking.onnx_network import OnnxNetwork
from rednet_mm.tracking.torch_network import TorchNetwork
from rednet_mm.utils.bundled import BundledModel, bundled_model
from rednet_mm.version import __version__

# What exports an ONNX file, and what runs it: the extra onnx.
ONNX_PACKAGES = ('onnx', 'onnxruntime')


def bundled_network(
    device: str = 'cpu', precision: str = 'fp32', keep_maps: bool = False
) -> FaceNetwork[Any]:
    """The bundled model, as the network of a tracker.

    On a CPU it is run by ONNX Runtime where the extra ``onnx`` is installed,
    about twice as fast as by PyTorch; the file is made when it is first
    wanted (some seconds) and kept in the user's cache folder.

    Args:
        device (str): Where it runs. Defaults to ``'cpu'``.
        precision (str): As for :class:`TorchNetwork`. Another than
            ``'fp32'`` is PyTorch's.
        keep_maps (bool): As for :class:`TorchNetwork`; with maps it is
            PyTorch that runs.

    Raises:
        UserError: if the files of the model are not there.
    """
    model = bundled_model()
    plain = (device, precision, keep_maps) == ('cpu', 'fp32', False)
    if plain and all(find_spec(name) for name in ONNX_PACKAGES):
        path = exported(model)
        if path.is_file() or _export(model, path):
            return OnnxNetwork(str(path))
    return TorchNetwork(
        str(model.config), str(model.weights), device, precision, keep_maps
    )


def exported(model: BundledModel) -> Path:
    """Where the ONNX file of these weights and this version is kept."""
    cache = os.environ.get('XDG_CACHE_HOME') or '~/.cache'
    content = sha256(__version__.encode())
    for path in (model.config, model.weights):
        content.update(path.read_bytes())
    name = f'{model.name}-{content.hexdigest()[:16]}.onnx'
    return Path(cache).expanduser() / 'rednet_mm' / name


def _export(model: BundledModel, path: Path) -> bool:
    """Write the file; whether there is a place where it can be kept."""
    # Not needed where the file is there; it takes a while to import.
    from .onnx_export import export_onnx

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Of its own: two programs may come here at one time.
        folder = TemporaryDirectory(dir=path.parent)
    except OSError:
        return False
    network = TorchNetwork(str(model.config), str(model.weights))
    with folder:
        part = Path(folder.name) / path.name
        export_onnx(network, str(part), model.name)
        os.replace(part, path)
    return True
