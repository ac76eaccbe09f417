"""Write an encoder or a recognizer as one file that runs without this package.

    stars-mm export actions.npz actions.onnx
    stars-mm export stars://common-15 encoder.onnx --layout kinect-20 --int8
    stars-mm export configs/stars_demo.py encoder.pt2 --checkpoint epoch_8.pth --layout ntu-25

MODEL is what `stars-mm learn` wrote; or an encoder: one that ships, a name of model-index.yml, or a
config with --checkpoint. Raw coordinates go in, in batches of any size: mapping of the joints,
centring, cropping and resizing are in the file. A recognizer gives labels and scores, an encoder
features. docs/export.md has programs that use them.
"""

import argparse

from stars_mm.preparation.layouts import known_layouts


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add('model', metavar='MODEL', help='recognizer (.npz), encoder or config')
    add('out', metavar='OUT', help='.onnx, or .pt2 for torch.export.load')
    add('--checkpoint', help="the config's weights")
    add(
        '--layout',
        help=f'joints of the coordinates that go in: {", ".join(known_layouts())}, or a .json or '
        '.yml file (default: those of the examples, or of the encoder)',
    )
    add(
        '--coordinates',
        type=int,
        choices=(2, 3),
        help='numbers of a joint (default: 2 for a layout in pixels, else 3)',
    )
    add('--int8', action='store_true', help='also write OUT.int8.onnx, linear layers in 8 bits')


def main(args: argparse.Namespace) -> None:
    from stars_mm.apis.export import export

    for path in export(
        args.model, args.out, args.checkpoint, args.layout, args.coordinates, args.int8
    ):
        print(f'written to {path}, {path.stat().st_size / 1e6:.1f} MB')
