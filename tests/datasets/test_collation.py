"""What a batch is after it has been sent by a worker."""

import pickle

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate

from stars_mm.datasets.collation import DataSamples, collate_clips
from stars_mm.models.data_preprocessors import SkeletonPreprocessor


@pytest.fixture
def dense():
    torch.manual_seed(0)
    found = []
    for number in range(3):
        sample = ActionDataSample(metainfo=dict(sample_idx=number))
        sample.set_gt_label([number, 7])
        sample.note = f'clip {number}'
        found.append(dict(inputs=torch.randn(1, 2, 8, 5, 3), data_samples=sample))
    return found


def test_samples_arrive_as_they_were_sent(dense):
    sent = collate_clips(dense)['data_samples']
    arrived = pickle.loads(pickle.dumps(sent))
    assert isinstance(arrived, DataSamples) and len(arrived) == 3
    for number, sample in enumerate(arrived):
        assert isinstance(sample, ActionDataSample)
        assert sample.metainfo == dict(sample_idx=number)
        assert torch.equal(sample.gt_label, torch.tensor([number, 7]))
        assert sample.note == f'clip {number}'
        assert sorted(sample.keys()) == ['gt_label', 'note']
    assert b'torch' not in pickle.dumps(sent)


def test_dense_clips_are_collated_or_listed(dense):
    stacked = torch.stack([sample['inputs'] for sample in dense])
    assert torch.equal(collate_clips(dense)['inputs'], stacked)
    for collate in (collate_clips, pseudo_collate):
        for training in (True, False):
            found = SkeletonPreprocessor()(collate(dense), training)
            assert torch.equal(found['inputs'], stacked)
            assert [s.sample_idx for s in found['data_samples']] == [0, 1, 2]


def test_workers_send_both(dense):
    (batch,) = torch.utils.data.DataLoader(
        dense, batch_size=3, num_workers=1, collate_fn=collate_clips
    )
    assert torch.equal(batch['inputs'], collate_clips(dense)['inputs'])
    assert torch.equal(batch['data_samples'][2].gt_label, torch.tensor([2, 7]))
