"""Puts the encoder of a checkpoint into the package, where ``stars://NAME`` finds it.

    python tools/model_converters/publish_encoder.py work_dirs/stars_union/epoch_1.pth \\
        configs/stars_union.py common-15

writes stars_mm/encoders/NAME.safetensors, in half precision, and NAME's entry in index.json beside
it: its model and pipeline. Where the config teaches similarities (SimilarityTargetHook), the
feature space of recognition is fitted to the clips that it was trained on, for which their
annotation files are needed, and goes into NAME-space.safetensors. One that has this name is
replaced. The same weights by the same versions are the same bytes.
"""

import stars_mm  # noqa: F401  first: it mends what keeps mmaction from being imported

# isort: split

import argparse
import json
import re
from pathlib import Path

import safetensors.torch
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch import Tensor, nn

from stars_mm.apis.encoder import PackedEncoder, describe_encoder
from stars_mm.apis.packed_space import example_space, pack_space
from stars_mm.engine.features import extract_features
from stars_mm.evaluation.part_features import PartFeatures
from stars_mm.preparation.layouts import get_layout
from stars_mm.utils.atomic import write_text, written_whole
from stars_mm.utils.checkpoint import check_checkpoint
from stars_mm.utils.checkpoint_sources import local_file
from stars_mm.utils.environment import package_versions
from stars_mm.utils.shipped_encoders import FOLDER, INDEX, SCHEME, shipped_encoders
from stars_mm.utils.weights_file import file_sha256, read_weights, write_weights

PREFIX = 'backbone.'
MAX_BYTES = 8_000_000


def parse_args(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('checkpoint', help='checkpoint of MAMP or STARS')
    parser.add_argument('config', type=Path, help='the config that it was trained with')
    parser.add_argument('name', help='name of the encoder: small letters, digits, hyphens')
    return parser.parse_args(argv)


def main(argv=None, folder: Path = FOLDER) -> None:
    args = parse_args(argv)
    if not re.fullmatch('[a-z0-9]+(-[a-z0-9]+)*', args.name):
        raise ValueError(f'NAME: "{args.name}" is not of small letters, digits and hyphens.')
    args.checkpoint = local_file(args.checkpoint)
    cfg = Config.fromfile(args.config)
    with DefaultScope.overwrite_default_scope('mmaction'):
        model = MODELS.build(cfg.model)
    state, meta = read_weights(args.checkpoint)
    encoder = find_encoder(state, model, args.checkpoint)
    halves = {name: value.half() for name, value in encoder.items()}
    difference = largest_difference(model, encoder, halves)
    known = {key: meta[key] for key in ('seed', 'epoch', 'iter') if key in meta}
    facts = dict(describe(cfg), **known)

    path = folder / f'{args.name}.safetensors'
    write_weights(path, dict(state_dict=halves, meta=dict(facts, versions=package_versions())))
    facts['model'], facts['pipeline'] = describe_encoder(cfg)
    digest, size = file_sha256(path), path.stat().st_size
    arrays = fit_space(cfg, PackedEncoder(args.name, facts['model'], facts['pipeline'], encoder))
    if arrays:
        facts['space'] = f'{args.name}-space.safetensors'
        with written_whole(folder / facts['space']) as partial:
            partial.write_bytes(safetensors.torch.save(arrays))
        facts['space_sha256'] = file_sha256(folder / facts['space'])
    index = dict(shipped_encoders(folder))
    index[args.name] = dict(file=path.name, sha256=digest, **facts)
    write_text(folder / INDEX, json.dumps(index, indent=2, sort_keys=True) + '\n')
    print(
        f'{SCHEME}{args.name}: {path}, {len(halves)} tensors, {size} bytes, SHA-256 {digest}; '
        f'half precision changes no feature by more than {difference:.1e} of its deviation'
    )


def find_encoder(state: dict[str, Tensor], model: nn.Module, path: Path) -> dict[str, Tensor]:
    """The encoder's weights, all of those that the model has and no other, fit for half precision
    and for the package; else a ValueError."""
    check_checkpoint(state, model, str(path))
    encoder = {name: state[name] for name in sorted(state) if name.startswith(PREFIX)}
    strange = sorted(encoder.keys() - model.state_dict().keys())
    if strange:
        raise ValueError(f"{path}: the config's encoder has no {strange}. Give its own config.")
    infinite = [name for name, value in encoder.items() if not value.half().isfinite().all()]
    if infinite:
        raise ValueError(f'{path}: not finite in half precision: {infinite}.')
    size = 2 * sum(value.numel() for value in encoder.values())
    if size > MAX_BYTES:
        raise ValueError(f'{path}: its encoder takes {size} bytes; {MAX_BYTES} may ship.')
    return encoder


def describe(cfg: Config) -> dict:
    """What one has to know of an encoder to feed it, from its config; a ValueError where the
    config's test does not map its clips to the joints of a layout."""
    path = Path(cfg.filename).resolve()
    place = re.search(r'.*/(configs/.*)', path.as_posix())  # in whichever checkout
    steps = [step for step in cfg.test_dataloader.dataset.pipeline if step.type == 'MapJoints']
    if not steps:
        raise ValueError(f'{cfg.filename}: its test pipeline has no MapJoints.')
    layout = get_layout(steps[0].get('target', 'common-15')).name
    return dict(
        config=place[1] if place else path.name,
        layout=layout,
        num_frames=cfg.model.backbone.num_frames,
    )


def fit_space(cfg: Config, packed: PackedEncoder) -> dict[str, Tensor]:
    """The feature space of recognition, fitted to the clips that the config's similarities are
    taught of; nothing where it teaches none."""
    hooks = [h for h in cfg.get('custom_hooks') or [] if h['type'] == 'SimilarityTargetHook']
    if not hooks:
        return {}
    space = example_space()
    model = PartFeatures(space.parts, packed.build())
    with DefaultScope.overwrite_default_scope('mmaction'):
        loader = Runner.build_dataloader(hooks[0].dataloader)
    space.fit(model.split(extract_features(model, loader).features))
    return {key: torch.from_numpy(array) for key, array in pack_space(space).items()}


@torch.no_grad()
def largest_difference(model: nn.Module, encoder: dict, halves: dict) -> float:
    """How far features by two sets of weights are apart at most, over their standard deviation, on
    joints that walk at random."""
    backbone = model.backbone
    shape = (8, 1, 1, backbone.num_frames, backbone.num_joints, backbone.in_channels)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    clips = 0.02 * noise.cumsum(3)  # metres
    features = []
    for weights in (encoder, halves):
        model.load_state_dict(weights, strict=False)
        features.append(model.eval().extract_feat(clips))
    return float((features[0] - features[1]).abs().max() / features[0].std())


if __name__ == '__main__':
    main()
