"""What a batch is after it has been sent by a worker."""

import pickle

import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate

from stars_mm.datasets.collation import DataSamples, collate_clips
from stars_mm.models.data_preprocessors import SkeletonPreprocessor


def test_clips_and_samples_arrive_as_they_were_sent():
    dense = []
    for number in range(3):
        sample = ActionDataSample(metainfo=dict(sample_idx=number))
        sample.set_gt_label([number, 7])
        sample.note = f'clip {number}'
        dense.append(dict(inputs=torch.randn(1, 2, 8, 5, 3), data_samples=sample))
    (batch,) = torch.utils.data.DataLoader(
        dense, batch_size=3, num_workers=1, collate_fn=collate_clips
    )
    stacked = torch.stack([sample['inputs'] for sample in dense])
    assert torch.equal(batch['inputs'], stacked)
    assert isinstance(batch['data_samples'], DataSamples) and len(batch['data_samples']) == 3
    for number, sample in enumerate(batch['data_samples']):
        assert isinstance(sample, ActionDataSample)
        assert sample.metainfo == dict(sample_idx=number)
        assert torch.equal(sample.gt_label, torch.tensor([number, 7]))
        assert sample.note == f'clip {number}'
        assert sorted(sample.keys()) == ['gt_label', 'note']
    assert b'torch' not in pickle.dumps(collate_clips(dense)['data_samples'])
    for collated in (batch, pseudo_collate(dense)):
        for training in (True, False):
            found = SkeletonPreprocessor()(dict(collated), training)
            assert torch.equal(found['inputs'], stacked)
            assert [s.sample_idx for s in found['data_samples']] == [0, 1, 2]
