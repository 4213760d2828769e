"""Packaging of RED-Net for MMPose."""

import runpy
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
VERSION = runpy.run_path(str(ROOT / 'rednet_mm' / 'version.py'))['__version__']

# What a wheel holds beside the code, in rednet_mm/.mim, where MIM looks for
# it and where MMPose's own wheel has such folders.
MIM = ('configs', 'tools', 'data_converters', 'model-index.yml')

# Names in these folders that only work in a checkout, with tests, docs or
# requirements beside them. The one list: nothing else leaves anything out.
CHECKOUT_ONLY = (
    '__pycache__',
    'benchmarks',
    'reliability',
    'model_card.py',
    'run_tests.sh',
    'setup_env.sh',
)


class BuildWithConfigs(build_py):
    """Puts configs, tools, converters and the model index into the package."""

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
                    ignore=shutil.ignore_patterns(*CHECKOUT_ONLY),
                )
            else:
                shutil.copy2(source, target / name)


setup(
    name='rednet-mm',
    version=VERSION,
    description='RED-Net for MMPose: facial landmarks in video',
    long_description=(ROOT / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author='Contributors of RED-Net for MMPose',
    # Of the code. The weights are for research: rednet_mm/weights/README.md.
    license='Apache-2.0',
    license_files=['LICENSE'],
    keywords='face alignment, facial landmarks, video, pose estimation',
    classifiers=[
        'Development Status :: 4 - Beta',
        'Intended Audience :: Developers',
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        'Programming Language :: Python :: 3.11',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
        'Topic :: Scientific/Engineering :: Image Recognition',
    ],
    python_requires='>=3.11',
    packages=find_packages(include=['rednet_mm*']),
    package_data={'rednet_mm': ['weights/*']},
    cmdclass=dict(build_py=BuildWithConfigs),
    # Lower bounds were tried, all together (requirements/README.md); upper
    # ones are of what is known not to work. No exact pins: an MMPose
    # environment that works is left as it is. mmpose is needed too and not
    # named: it asks for chumpy, which it never imports and which does not
    # build, and pip would ask for chumpy again wherever mmpose came without
    # it. Its bounds are in rednet_mm/version.py and checked at import.
    install_requires=[
        'torch>=2.6',
        'torchvision',
        'numpy<2',
        'opencv-python<5',
        'av>=18',
        'mmengine>=0.10.0,<1',
        'mmcv>=2.0.1,<2.2',
        'mmdet>=3.0.0,<3.4',
        'safetensors>=0.4',
        'xtcocotools',
        'matplotlib',
        'scipy',
        'tqdm',
    ],
    # tools/export_onnx.py needs both, and the shipped model runs about twice
    # as fast with them; to run what was exported, onnxruntime.
    extras_require=dict(onnx=['onnx>=1.15', 'onnxruntime>=1.15']),
)
