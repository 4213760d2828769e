"""Write a network as an ONNX file, for videos and live images:

python tools/export_onnx.py CONFIG CHECKPOINT OUT.onnx
"""

import argparse
import os
from pathlib import Path

from rednet_mm.apis.onnx_export import export_onnx
from rednet_mm.tracking.torch_network import TorchNetwork
from rednet_mm.utils.cli import (
    check_suffix,
    existing_config,
    report_user_errors,
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description='Write a network as an ONNX file, one frame a call'
    )
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('out', help='the file to write, .onnx')
    args = parser.parse_args()
    with report_user_errors():
        check_suffix('OUT', args.out, '.onnx')
        network = TorchNetwork(existing_config(args.config), args.checkpoint)
        difference = export_onnx(network, args.out, Path(args.config).stem)
    print(
        f'{args.out}: {os.path.getsize(args.out) / 1e6:.1f} MB, landmarks of '
        f'noise within {difference:.1g} pixels of those of PyTorch'
    )


if __name__ == '__main__':
    main()
