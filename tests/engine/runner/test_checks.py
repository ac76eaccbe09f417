"""What can be found wrong is found before anything is trained."""

import pytest
import torch
from mmaction.registry import MODELS
from torch import nn

from stars_mm.engine.runner.checks import check_pretrained, check_queue


@pytest.fixture
def refuses(load_cfg, build, tmp_path):
    """Trains the recipe with some changes, and expects the error at once."""

    def _refuses(error, message, options={}, stage={}) -> None:
        cfg = load_cfg(tmp_path / 'run', options)
        if stage:
            cfg.stages[0].options.update(stage)
        with pytest.raises(error, match=f'(?s){message}'):
            build(cfg).train()
        assert not list(tmp_path.rglob('epoch_*.pth'))
        assert 'Epoch(train)' not in ''.join(log.read_text() for log in tmp_path.rglob('*.log'))

    return _refuses


def everywhere(key: str, value) -> dict:
    """An option of every data set of a config."""
    loaders = (
        'train_dataloader',
        'val_dataloader',
        'test_dataloader',
        'val_cfg.bank_dataloader',
        'test_cfg.bank_dataloader',
    )
    return {f'{loader}.dataset.{key}': value for loader in loaders}


def test_random_encoder(refuses):
    refuses(
        ValueError,
        r'stars\.py: STARS needs a pretrained encoder.*'
        'load_from=PATH.*allow_random_init=True',
        dict(stages=[]),
    )


def test_random_encoder_on_purpose(load_cfg, build, tmp_path):
    build(
        load_cfg(tmp_path, {'stages': [], 'allow_random_init': True, 'train_cfg.max_epochs': 1})
    ).train()
    assert (tmp_path / 'epoch_1.pth').is_file()


@pytest.mark.parametrize('where', ['model', 'backbone'])
def test_pretrained_by_init_cfg(load_cfg, tmp_path, where):
    cfg = load_cfg(tmp_path)
    init_cfg = dict(type='Pretrained', checkpoint='epoch_1.pth')
    (cfg.model if where == 'model' else cfg.model.backbone).init_cfg = init_cfg
    check_pretrained(cfg, MODELS.build(cfg.model), initialised=False)


def test_resume_without_anything_to_resume(refuses):
    refuses(ValueError, 'nothing initialises', dict(stages=[], resume=True))


@pytest.mark.parametrize(
    'change, message',
    [
        (
            dict(embed_dims=24),
            r'tensors have another shape: backbone\.temporal_emb'
            r'ed: \(1, 4, 1, 24\) in the file, \(1, 4, 1, 16\) in the model',
        ),
        (dict(depth=1), r'lacks 12 of .* 30 tensors.*"backbone\.blocks\.1'),
    ],
)
def test_unfit_checkpoint(refuses, load_cfg, tmp_path, change, message):
    cfg = load_cfg(tmp_path, name='mamp')
    cfg.model.backbone.update(change)
    path = str(tmp_path / 'other.pth')
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), path)
    refuses(ValueError, f'{path} .*{message}', dict(load_from=path))


def test_checkpoint_without_encoder(refuses, load_cfg, tmp_path):
    head = MODELS.build(load_cfg(tmp_path).model).head
    path = str(tmp_path / 'head.pth')
    torch.save({f'head.{name}': value for name, value in head.state_dict().items()}, path)
    refuses(ValueError, f'{path} lacks 30 of the.*No encoder is in the file', dict(load_from=path))


def test_missing_checkpoint(refuses):
    refuses(FileNotFoundError, 'nowhere.pth', dict(load_from='nowhere.pth'))


def test_queue_smaller_than_a_batch(refuses, load_cfg, tmp_path):
    refuses(
        ValueError,
        r'stars\.py: model\.head\.queue_size=3 is less than '
        'one batch, 4 clips on each of 1 processes = 4',
        {'model.head.queue_size': 3},
    )
    cfg = load_cfg(tmp_path, {'model.head.queue_size': 7})
    model = MODELS.build(cfg.model)
    check_queue(cfg, model, world_size=1)
    with pytest.raises(ValueError, match='each of 2 processes = 8'):
        check_queue(cfg, model, world_size=2)
    both = nn.Module()  # a stage with both losses
    both.head, both.contrast_head = nn.Identity(), model.head
    with pytest.raises(ValueError, match='model.contrast_head.queue_size=7'):
        check_queue(cfg, both, world_size=2)


@pytest.mark.parametrize(
    'stages, error, message',
    [
        (
            [dict(name='a', config='b.py')],
            FileNotFoundError,
            r'stars\.py names the stage config "b\.py"',
        ),
        (
            [dict(name='a', config='stage1/mamp.py')] * 2,
            ValueError,
            r'stages\[1\] of .*stars\.py has the name "a"',
        ),
        (
            [dict(name='a', config='stage1/mamp.py', option={})],
            ValueError,
            r"stages\[0\] of .*\['config', 'name', 'option'\]",
        ),
        ([dict(config='stage1/mamp.py')], ValueError, r"it has \['config'\]"),
    ],
)
def test_bad_stages(refuses, stages, error, message):
    refuses(error, message, dict(stages=stages))


def test_scaling_without_a_base(refuses):
    refuses(
        KeyError,
        r'mamp\.py has no auto_scale_lr\.base_batch_size',
        {'auto_scale_lr.enable': True},
        dict(auto_scale_lr=dict(_delete_=True)),
    )


@pytest.mark.parametrize(
    'loader', ['train_dataloader', 'val_dataloader', 'val_cfg.bank_dataloader']
)
@pytest.mark.parametrize('own', [True, False])
def test_missing_annotation_file(refuses, loader, own):
    """Of the first stage, and of the last one before the first is trained."""
    option = {f'{loader}.dataset.ann_file': 'data/ntu60_3d.pkl'}
    refuses(
        FileNotFoundError,
        "ann_file='data/ntu60_3d.pkl'.* download",
        *((option,) if own else ({}, option)),
    )


@pytest.mark.parametrize('own', [True, False])
@pytest.mark.parametrize(
    'layout, message',
    [
        (
            dict(num_joints=4),
            r'other\.pkl: its clips have 4 joints, but '
            r'model\.backbone\.num_joints=5 in .*\.py',
        ),
        (dict(num_channels=2), r'other\.pkl.* 2 channels.*in_channels=3'),
        (dict(num_persons=3), r'other\.pkl.* 3 persons, but the pipeline keeps 2'),
    ],
)
def test_data_that_does_not_fit(refuses, write_ann_file, tmp_path, own, layout, message):
    path = write_ann_file(tmp_path / 'other.pkl', **layout)
    options = everywhere('ann_file', path)
    if 'num_channels' in layout:  # rotations need three
        plain = [
            dict(type='TemporalCropResize', clip_len=8, p_interval=1.0),
            dict(type='FormatGCNInput', num_person=2),
            dict(type='PackActionInputs'),
        ]
        options.update(everywhere('pipeline', plain))
    refuses(ValueError, message, *((options,) if own else ({}, options)))


@pytest.mark.parametrize('own', [True, False])
def test_wrong_clip_length(refuses, own):
    short = [
        dict(type='CenterSkeleton', center_joint=1),
        dict(type='TemporalCropResize', clip_len=6, p_interval=1.0),
        dict(type='FormatGCNInput', num_person=2),
        dict(type='PackActionInputs', meta_keys=('sample_idx',)),
    ]
    options = {'val_dataloader.dataset.pipeline': short}
    refuses(
        ValueError,
        r'have 6 frames after the pipeline \(its clip_len\), '
        r'but model\.backbone\.num_frames=8',
        *((options,) if own else ({}, options)),
    )


@pytest.mark.parametrize('own', [True, False])
def test_misspelt_split(refuses, own):
    options = {'train_dataloader.dataset.split': 'xsub_trian'}
    refuses(
        ValueError,
        "split='xsub_trian'.*'xsub_train', 'xsub_val'",
        *((options,) if own else ({}, options)),
    )


def test_stage_of_another_size(refuses):
    refuses(
        ValueError,
        r'model of stage config .*mamp\.py does not fit.*24',
        stage={'model.backbone.embed_dims': 24},
    )


def test_misspelt_option_of_the_last_stage(refuses):
    refuses(
        ValueError, "unknown options .'layer_decya'", {'optim_wrapper.paramwise_cfg.layer_decya': 1}
    )
