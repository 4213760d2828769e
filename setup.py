"""Packaging of RED-Net for MMPose."""

import runpy
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
VERSION = runpy.run_path(str(ROOT / 'rednet_mm' / 'version.py'))['__version__']

# What a wheel holds beside the code, in the folder where MIM looks for it.
MIM = ('configs', 'tools', 'model-index.yml')


class BuildWithConfigs(build_py):
    """Puts configs, tools and the model index into the package."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            # The checkout itself is where they are.
            return
        target = Path(self.build_lib) / 'rednet_mm' / '.mim'
        # Nothing of an earlier build is to stay.
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for name in MIM:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(
                    source,
                    target / name,
                    ignore=shutil.ignore_patterns('__pycache__'),
                )
            else:
                shutil.copy2(source, target / name)


setup(
    name='rednet-mm',
    version=VERSION,
    description='RED-Net for MMPose: facial landmarks in video',
    long_description=(
        (ROOT / 'README.md').read_text(encoding='utf-8')
        if (ROOT / 'README.md').exists()
        else ''
    ),
    long_description_content_type='text/markdown',
    python_requires='>=3.10',
    packages=find_packages(include=['rednet_mm*', 'data_converters*']),
    package_data={
        'rednet_mm': ['weights/*'],
        'data_converters': ['*.csv'],
    },
    cmdclass=dict(build_py=BuildWithConfigs),
    # Bounds only where they matter and no exact pins: an MMPose environment
    # that works is left as it is. The set that was tested is pinned in
    # requirements/. mmpose 1.x is needed too and not named: it asks for
    # chumpy, which it never imports and which does not build, and pip would
    # ask for chumpy again wherever mmpose came without it.
    install_requires=[
        'torch>=2.0',
        'torchvision',
        'numpy<2',
        'opencv-python<5',
        'av>=14',
        'mmengine>=0.10',
        'mmcv>=2.0.1,<2.2',
        'mmdet>=3.0,<3.4',
        'safetensors>=0.4',
        'xtcocotools>=1.12',
        'tqdm',
    ],
    # tools/export_onnx.py needs both, and the shipped model runs about twice
    # as fast with them; to run what was exported, onnxruntime.
    extras_require=dict(onnx=['onnx>=1.12', 'onnxruntime>=1.12']),
)
