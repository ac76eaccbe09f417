import torch

from stars_mm.models.necks import FramePredictor


def test_a_cell_predicts_its_own_frames_and_joints():
    neck = FramePredictor(6, out_channels=3, temporal_stride=4, joint_stride=2)
    feats = torch.randn(2, 6, 3, 5)
    found = neck(feats)
    assert found.shape == (2, 12, 10, 3)
    for b in range(2):
        for t in range(12):
            for v in range(10):
                cell = neck.pred.weight @ feats[b, :, t // 4, v // 2]
                cell = (cell + neck.pred.bias).reshape(4, 2, 3)
                torch.testing.assert_close(found[b, t, v], cell[t % 4, v % 2])
