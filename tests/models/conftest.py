"""Golden arrays, small models and a loop-written contrastive loss."""

import json
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import Tensor

TINY = dict(
    type='SkeletonTransformer',
    embed_dims=16,
    depth=2,
    num_heads=2,
    num_frames=8,
    num_joints=5,
    tubelet_size=4,
)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def golden(data_dir) -> Callable:
    """``golden(name, prefix)`` → arrays whose name begins so, as tensors, and the sizes."""

    def _golden(name: str, prefix='') -> tuple[dict[str, Tensor], dict]:
        arrays = np.load(data_dir / f'{name}.npz')
        found = {
            key.removeprefix(prefix): torch.from_numpy(np.asarray(arrays[key]))
            for key in arrays.files
            if key.startswith(prefix) and arrays[key].dtype.kind != 'U'
        }
        return found, json.loads(str(arrays['meta']))

    return _golden


@pytest.fixture
def encoder_cfg() -> Callable:
    """``encoder_cfg(**changes)`` → config of a small encoder: 16 channels,
    2 blocks, 8 frames of 5 joints, 2 × 5 tokens."""
    return lambda **changes: {**TINY, **changes}


@pytest.fixture
def encoder(encoder_cfg) -> Callable:
    """``encoder(**changes)`` → a small encoder."""
    return lambda **changes: MODELS.build(encoder_cfg(**changes))


@pytest.fixture
def mamp(encoder_cfg) -> Callable:
    """``mamp(**changes)`` → a small MAMP that keeps 3 of 10 tokens."""

    def _mamp(**changes):
        cfg = dict(
            type='MAMP',
            backbone=encoder_cfg(),
            neck=dict(type='MAMPDecoder', embed_dims=16, depth=1, num_heads=2),
            head=dict(type='MAMPHead'),
            mask_ratio=0.65,
        )
        return MODELS.build({**cfg, **changes})

    return _mamp


@pytest.fixture
def stars(encoder_cfg) -> Callable:
    """``stars(**changes)`` → a small STARS model with a queue of 10."""

    def _stars(**changes):
        cfg = dict(
            type='STARS',
            backbone=encoder_cfg(),
            head=dict(type='NNCLRHead', in_channels=16, hidden_channels=24, queue_size=10),
        )
        return MODELS.build({**cfg, **changes})

    return _stars


@pytest.fixture
def samples() -> Callable:
    """``samples(ids)`` → data samples that name their place in the data."""

    def _samples(ids) -> list[ActionDataSample]:
        return [ActionDataSample(metainfo=dict(sample_idx=int(i))) for i in ids]

    return _samples


@pytest.fixture
def encoded_rows() -> Callable:
    """``encoded_rows(model)`` → list that gets, at each call of the encoder,
    the number of persons it encodes."""

    def _encoded_rows(encoder) -> list[int]:
        rows = []
        encoder.patch_embed.register_forward_pre_hook(
            lambda module, args: rows.append(len(args[0]))
        )
        return rows

    return _encoded_rows


def _project_and_predict(params: dict[str, Tensor], feat: Tensor):
    """Batch norm, linear, batch norm, ReLU, linear, by their formulas."""

    def batch_norm(x, name):
        centered = x - x.mean(0)
        scaled = centered / (centered.square().mean(0) + 1e-5).sqrt()
        return scaled * params[f'{name}.weight'] + params[f'{name}.bias']

    projection = batch_norm(feat, 'projector.0')
    hidden = projection @ params['predictor.0.weight'].t()
    hidden = batch_norm(hidden, 'predictor.1').clamp(min=0)
    prediction = hidden @ params['predictor.3.weight'].t() + params['predictor.3.bias']
    return projection / projection.norm(dim=1, keepdim=True), (
        prediction / prediction.norm(dim=1, keepdim=True)
    )


@pytest.fixture
def nnclr_oracle() -> Callable:
    """NNCLR of the paper, section 3.3, in loops over processes, views and samples.

    ``nnclr_oracle(params, ranks, queue, queue_ids, temperature)`` with ``ranks`` a list of (views,
    ids) gives the mean of the ranks' losses, and the first view's projections in the order of the
    ranks.
    """

    def oracle(params, ranks, queue, queue_ids, temperature):
        outputs = [[_project_and_predict(params, feat) for feat in views] for views, _ in ranks]
        views = range(len(outputs[0]))
        losses = []
        for rank, (_, ids) in enumerate(ranks):
            for i in views:
                own = zip(outputs[rank][i][0], ids)
                neighbors = [_neighbor(z, number, queue, queue_ids) for z, number in own]
                for j in views:
                    if i == j and len(views) > 1:
                        continue
                    predictions = torch.cat([out[j][1] for out in outputs])
                    logits = queue[neighbors] @ predictions.t() / temperature
                    positives = rank * len(ids) + torch.arange(len(ids))
                    losses.append(F.cross_entropy(logits, positives, reduction='none'))
        entries = torch.cat([out[0][0] for out in outputs]).detach()
        return torch.cat(losses).mean(), entries

    return oracle


def _neighbor(projection: Tensor, own: int, queue: Tensor, queue_ids: Tensor) -> int:
    best, best_index = -float('inf'), None
    for index, (entry, owner) in enumerate(zip(queue, queue_ids)):
        similarity = F.cosine_similarity(projection, entry, dim=0).item()
        if int(owner) != int(own) and similarity > best:
            best, best_index = similarity, index
    return best_index
