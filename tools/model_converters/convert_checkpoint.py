"""Converts weights between the authors' files and ours.

Authors' file → ours, which every config here takes as a checkpoint:

    python tools/model_converters/convert_checkpoint.py mamp_ntu60_xsub.pth \\
        weights/mamp_ntu60-xsub.pth

ours → theirs (--to-official), ours → the encoder alone (--backbone-only), and
either → .safetensors, by the suffix of the second file, and back.

Which of the authors' files is which, by the names in STARS's README and
configs (the README has one put "mamp_" before the names of MAMP's files):

    mamp_ntu60_xsub.pth    mamp_ntu60_xview.pth    stage 1, decoder of 3 blocks
    mamp_ntu120_xsub.pth   mamp_ntu120_xview.pth   stage 1, decoder of 5 blocks
                                                   (this xview is xset)
    clrtuning_second_<data>_<split>.pt             stage 2, head alone tuned
    clrtuning_thirdstage_<data>_<view>.pt          stage 3, head and encoder
    last_epoch.pt, best_epoch.pt                   what STARS's program leaves
    checkpoint-399.pth, checkpoint-last.pth        what MAMP's leaves: stage 1,
                                                   linear probe or finetuned

There are none of PKU-MMD. The name does not matter here, the tensors do: each
one is placed, or the file is refused.
"""

import stars_mm  # noqa: F401  first: it mends what keeps mmaction from being imported

# isort: split

import argparse
from pathlib import Path

from mmaction.registry import MODELS
from mmengine.registry import DefaultScope

from stars_mm.utils.checkpoint import convert_official, is_official, to_official
from stars_mm.utils.checkpoint_sources import local_file
from stars_mm.utils.weights_file import check_suffix, file_sha256, read_weights, write_weights

# what of a checkpoint's meta goes with its weights
META = ('epoch', 'iter', 'seed', 'source', 'source_sha256')

SMALL = dict(embed_dims=8, num_heads=1, num_frames=8)
# part: prefix of its names, prefix that tells its kind, and a small model of that kind
PARTS = {
    'encoder': ('backbone.', 'backbone.blocks.', dict(type='SkeletonTransformer', **SMALL)),
    'decoder': ('neck.', 'neck.blocks.', dict(type='MAMPDecoder', **SMALL)),
    'NNCLR head': ('head.', 'head.predictor.', dict(type='NNCLRHead', queue_size=2)),
    'classifier': ('cls_head.', None, {}),
}


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', help="the authors' file, or ours")
    parser.add_argument('dst', type=Path, help='.pth, .pt or .safetensors to write')
    parser.add_argument(
        '--to-official',
        action='store_true',
        help="write the authors' names, as MAMP's and STARS's programs load them",
    )
    parser.add_argument(
        '--backbone-only',
        action='store_true',
        help='write the encoder alone, such as for an mmaction2 RecognizerGCN with another head',
    )
    return parser.parse_args(argv)


def main(argv=None) -> None:
    args = parse_args(argv)
    check_suffix(args.dst)
    args.src = local_file(args.src)
    if args.src.resolve() == args.dst.resolve():
        raise ValueError(f'{args.dst}: source and destination are one file. Choose another name.')
    state, meta = read_weights(args.src)
    state, said = to_ours(state, args.src)
    parts = find_parts(set(state), args.src)
    for part, names in parts.items():
        print(f'{part}: {len(names)} tensors')
    if args.backbone_only:
        state = {name: value for name, value in state.items() if name.startswith('backbone.')}
        left_out = ', '.join(part for part in parts if part != 'encoder')
        print(f'left out: {left_out or "nothing"}')
    elif not {'NNCLR head', 'classifier'} & set(parts):
        print('no NNCLR head: tuning starts with a new one')
    if args.to_official:
        content = official_file(state, args.src)
    else:
        meta = {key: meta[key] for key in META if key in meta}
        meta.setdefault('source', args.src.name)
        meta.setdefault('source_sha256', file_sha256(args.src))
        content = dict(meta=dict(meta, stars_mm_version=stars_mm.__version__), state_dict=state)
    write_weights(args.dst, content)
    names = "the authors'" if args.to_official else 'our'
    print(f'{args.src} ({said}) → {args.dst}: {len(state)} tensors by {names} names')


def to_ours(state: dict, src: Path) -> tuple:
    """Weights by our names, and whose names they had."""
    if not is_official(state):
        return state, 'our names'
    try:
        return convert_official(state), "the authors' names"
    except KeyError as error:
        raise ValueError(f'{src}: {error.args[0]}') from error


def find_parts(names: set[str], src: Path) -> dict[str, set[str]]:
    """Sort the names of tensors, by our names, into parts; each is complete, and every tensor is in
    one."""
    parts = {}
    for part, (prefix, kind, cfg) in PARTS.items():
        found = {name for name in names if name.startswith(prefix)}
        if not found:
            continue
        parts[part] = found
        if kind is None or not any(name.startswith(kind) for name in found):
            continue  # of another kind, such as a graph network
        blocks = {name.split('.')[2] for name in found if name.startswith(f'{prefix}blocks.')}
        if blocks:  # as many as it names, whatever their numbers
            cfg = dict(cfg, depth=len(blocks))
        if part == 'encoder':
            cfg['qkv_bias'] = any(name.endswith('.qkv.bias') for name in found)
        if part == 'decoder' and any('.cross_attn.' in name for name in found):
            cfg['type'] = 'MAMPCrossDecoder'
        with DefaultScope.overwrite_default_scope('mmaction'):
            wanted = {prefix + name for name in MODELS.build(cfg).state_dict()}
        missing = ', '.join(f'"{name}"' for name in sorted(wanted - found)[:4])
        if missing:
            raise ValueError(
                f'{src}: the {part} lacks {len(wanted - found)} of {len(wanted)} tensors: '
                f'{missing}. The file is not whole, or of another model.'
            )
    other = names.difference(*parts.values())
    if 'encoder' not in parts:
        shown = ', '.join(f'"{name}"' for name in sorted(names)[:4])
        raise ValueError(f'{src}: holds no encoder; its tensors are {shown}.')
    return {**parts, 'other': other} if other else parts


def official_file(state: dict, src: Path) -> dict:
    """The content of a file as the authors' programs write it: MAMP's have
    the weights under ``model``, STARS's nothing else."""
    try:
        official = to_official(state)
    except KeyError as error:
        raise ValueError(f'{src}: {error.args[0]}') from error
    return official if 'queue' in official else dict(model=official)


if __name__ == '__main__':
    main()
