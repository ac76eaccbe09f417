"""Floating-point operations of stage 1, forwards and for one person: the encoder on the kept
tokens, MAMPDecoder and MAMPCrossDecoder, at the sizes of NTU's recipe and NW-UCLA's small one.

    python tools/benchmarks/decoder_flops.py
"""

import stars_mm  # noqa: F401  first: it mends what keeps mmaction from being imported

# isort: split

import torch
from mmaction.registry import MODELS
from timing import flops_and_memory, markdown_table

from stars_mm.models.utils.masking import num_kept_tokens

MASK_RATIO = 0.9
NW_UCLA = dict(num_frames=64, num_joints=20, tubelet_size=8)
#: Name → encoder, decoder; what is left out is NTU's.
SIZES = {
    'NTU': ({}, {}),
    'NW-UCLA, small': (
        dict(NW_UCLA, embed_dims=128, depth=4, num_heads=4),
        dict(NW_UCLA, in_channels=128, embed_dims=64, depth=2, num_heads=4),
    ),
}


def count(encoder: dict, decoder: dict) -> dict[str, int]:
    """Operations of each part; of ``MAMPCrossDecoder`` for the tokens that a step predicts."""
    backbone = MODELS.build(dict(encoder, type='SkeletonTransformer'))
    length = backbone.grid_size[0] * backbone.grid_size[1]
    ids = torch.randperm(length)[None]
    ids_keep, ids_hidden = ids.tensor_split([num_kept_tokens(length, MASK_RATIO)], dim=1)
    x = torch.zeros(1, backbone.num_frames, backbone.num_joints, backbone.in_channels)
    tokens = backbone.encode(x, ids_keep)
    calls = {'encoder': lambda: backbone.encode(x, ids_keep)}
    for name in ('MAMPDecoder', 'MAMPCrossDecoder'):
        neck = MODELS.build(dict(decoder, type=name))
        ids_predicted = neck.draw_predicted(ids_hidden)
        calls[name] = lambda neck=neck, ids=ids_predicted: neck.predict_hidden(
            tokens, ids_keep, ids
        )
    with torch.no_grad():
        return {name: flops_and_memory(call, x.device)[0] for name, call in calls.items()}


def main() -> None:
    rows = []
    for name, sizes in SIZES.items():
        found = count(*sizes)
        whole, cheap = (
            found['encoder'] + found[f'MAMP{kind}'] for kind in ('Decoder', 'CrossDecoder')
        )
        millions = {part: flops / 1e6 for part, flops in found.items()}
        rows.append(
            dict(millions, size=name, whole=whole / 1e6, cheap=cheap / 1e6, share=cheap / whole)
        )
    columns = {'MFLOP': '{size}'}
    columns |= {part: f'{{{part}:.4g}}' for part in ('encoder', 'MAMPDecoder', 'MAMPCrossDecoder')}
    columns |= {
        'stage 1': '{whole:.4g}',
        'with the cheap one': '{cheap:.4g}',
        'of it': '{share:.0%}',
    }
    print(markdown_table(rows, columns))


if __name__ == '__main__':
    main()
