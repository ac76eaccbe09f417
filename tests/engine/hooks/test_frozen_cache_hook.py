"""Tuning with cached frozen layers ends where tuning without does."""

import re

import pytest
import torch

from stars_mm.engine.hooks.frozen_cache_hook import FrozenCacheHook, changing_transform
from stars_mm.utils.storage import allocate, choose_storage

PIPELINE = [
    dict(type='CenterSkeleton', center_joint=1),
    dict(type='TemporalCropResize', clip_len=8, p_interval=1.0),
    dict(type='FormatGCNInput', num_person=3, mode='loop'),
    dict(type='PackActionInputs', meta_keys=('sample_idx', 'frame_dir')),
]
HOOK = dict(type='FrozenCacheHook')
DEFERRED = {
    'train_dataloader.collate_fn': dict(type='collate_clips'),
    'train_dataloader.dataset.pipeline': [
        dict(
            type='PackViews',
            transforms=PIPELINE[:2],
            num_person=3,
            mode='loop',
            meta_keys=('sample_idx',),
        )
    ],
}


@pytest.fixture
def tuning(load_cfg, tmp_path):
    """``tuning(name, hook, options)`` → config of stage 2 alone, on whole
    clips, to be run in a folder of that name."""

    def _tuning(name, hook=HOOK, options={}):
        cfg = load_cfg(
            tmp_path / name,
            {
                'stages': [],
                'allow_random_init': True,
                'val_cfg': None,
                'val_dataloader': None,
                'val_evaluator': None,
                'train_dataloader.dataset.pipeline': PIPELINE,
                **options,
            },
        )
        # Adam would make steps of the rounding errors that are the gradient
        # of a bias before a batch norm
        cfg.optim_wrapper.optimizer = dict(type='SGD', lr=0.01)
        hooks = [h for h in cfg.custom_hooks if h.type != HOOK['type']]
        cfg.custom_hooks = hooks + ([hook] if hook else [])
        return cfg

    return _tuning


def blocks_run(runner):
    """Number of persons at each call of each block, in training."""
    calls = [[] for _ in runner.model.backbone.blocks]
    for block, called in zip(runner.model.backbone.blocks, calls):
        block.register_forward_hook(
            lambda module, args, out, called=called: called.append(len(out))
        )
    return calls


@pytest.mark.parametrize(
    'options, storage',
    [
        ({}, 'auto'),
        ({}, 'disk'),
        (
            {
                'model.data_preprocessor': dict(
                    type='StreamPreprocessor',
                    stream='bone_motion',
                    layout=dict(num_node=5, inward=[(1, 0), (2, 1), (3, 1), (4, 0)], center=0),
                )
            },
            'host',
        ),
        ({'model.backbone.frozen_stages': 2}, 'auto'),
        (DEFERRED, 'auto'),
    ],
)
def test_the_same_weights(tuning, build, options, storage, tmp_path):
    runners = [
        build(tuning(name, hook, options))
        for name, hook in (('cached', dict(HOOK, storage=storage)), ('plain', None))
    ]
    before = runners[0].model.head.predictor[0].weight.clone()
    calls = blocks_run(runners[0])
    for runner in runners:
        runner.train()
    ours, theirs = (runner.model.state_dict() for runner in runners)
    assert not torch.allclose(ours['head.predictor.0.weight'], before)
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=1e-4, atol=1e-5)
    head_only = 'model.backbone.frozen_stages' in options
    # 21 clips in 6 batches, and the absent person; then 4 epochs of 5 batches
    assert len(calls[0]) == 1 + 6
    assert len(calls[1]) == (1 + 6 if head_only else 4 * 5)
    assert runners[0].model.frozen_cache is None
    assert not list((tmp_path / 'cached').glob('.mapped*'))


def test_an_interrupted_run_ends_the_same(tuning, build, tmp_path, assert_same_run):
    build(tuning('whole')).train()
    cfg = tuning('stopped')
    cfg.custom_hooks.append(dict(type='Interrupt', epoch=2))
    with pytest.raises(KeyboardInterrupt):
        build(cfg).train()
    build(tuning('stopped', options=dict(resume=True))).train()
    assert_same_run(tmp_path / 'stopped', tmp_path / 'whole')


@pytest.mark.parametrize(
    'hook, options, reason',
    [
        (
            HOOK,
            {
                'train_dataloader.dataset.pipeline': [
                    dict(PIPELINE[0]),
                    dict(PIPELINE[1], p_interval=(0.5, 1.0)),
                    *PIPELINE[2:],
                ]
            },
            'TemporalCropResize may change a clip',
        ),
        (
            HOOK,
            {
                'train_dataloader.dataset.pipeline': [
                    dict(PIPELINE[0]),
                    dict(type='MultiView', transforms=[PIPELINE[1], dict(type='RandomRot')]),
                    *PIPELINE[2:],
                ]
            },
            'RandomRot may change a clip',
        ),
        (
            HOOK,
            {
                'train_dataloader.dataset.pipeline': [
                    dict(
                        type='PackViews',
                        transforms=[PIPELINE[1], dict(type='RandomRot')],
                        num_person=3,
                        meta_keys=('sample_idx',),
                    )
                ]
            },
            'RandomRot may change a clip',
        ),
        (
            HOOK,
            {'optim_wrapper.paramwise_cfg.num_trainable_layers': None},
            'no layer of the encoder is frozen',
        ),
        (HOOK, {'model.backbone.drop_rate': 0.1}, 'or it drops at random'),
        (
            HOOK,
            {'model.head': dict(type='MoCoHead', in_channels=16, hidden_channels=8, queue_size=20)},
            'the teacher needs the clips',
        ),
        (
            dict(HOOK, share=1e-12),
            {},
            r'no room for its cache: 0\.00 GiB are '
            r'needed, and 0% of what is free may be taken \(GiB: host \d+\.\d+, '
            r'disk',
        ),
    ],
)
def test_when_nothing_is_cached(tuning, build, hook, options, reason, monkeypatch):
    cfg = tuning('run', hook, {'train_cfg.max_epochs': 1, **options})
    if 'model.head' in options:
        cfg.model.head = options['model.head']
    runner = build(cfg)
    said = []
    monkeypatch.setattr(runner.logger, 'info', lambda text, *_: said.append(str(text)))
    calls = blocks_run(runner)
    runner.train()
    assert [
        text
        for text in said
        if text.startswith('FrozenCacheHook does nothing') and re.search(reason, text)
    ], said
    assert len(calls[0]) >= 5 and runner.model.frozen_cache is None


def test_views_that_are_identical(tuning, build):
    cfg = tuning(
        'run',
        options={
            'train_dataloader.dataset.pipeline': [
                PIPELINE[0],
                dict(type='MultiView', transforms=[PIPELINE[1]]),
                *PIPELINE[2:],
            ]
        },
    )
    runner = build(cfg)
    calls = blocks_run(runner)
    runner.train()
    assert len(calls[0]) == 1 + 6 and len(calls[1]) == 20


def test_unknown_transforms_are_not_trusted():

    class Blur:
        pass

    assert changing_transform([Blur()]) == 'Blur'


def test_two_processes_share_a_file(two_ranks, tmp_path):

    def share(rank):
        assert choose_storage(80, ['disk'], 0.5, torch.device('cpu'), str(tmp_path)) == 'disk'
        rows = allocate((4, 5), torch.float32, 'disk', torch.device('cpu'), str(tmp_path))
        rows[rank::2] = rank + 1.0
        torch.distributed.barrier()
        return rows[:, 0].tolist(), list(tmp_path.glob('.mapped*'))

    assert two_ranks(share) == [([1.0, 2.0, 1.0, 2.0], [])] * 2


@pytest.mark.parametrize(
    'changes, message',
    [(dict(storage='gpu'), "storage='gpu' must be"), (dict(share=0), 'share=0 must lie')],
)
def test_arguments_are_checked(changes, message):
    with pytest.raises(ValueError, match=message):
        FrozenCacheHook(**changes)
