import numpy as np
import pytest
import torch

from stars_mm.models.heads.mamp_head import MAMPHead
from stars_mm.visualization.clip_frames import present_persons
from stars_mm.visualization.masked_prediction import (
    MaskedClip,
    MotionDecoder,
    hidden_joint_errors,
    make_masked_clips,
)


def decoder_of(norm_target, motion_stride, joint_patch_size=1):
    return MotionDecoder(4, joint_patch_size, norm_target, motion_stride)


@pytest.fixture
def clip():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 12, 6, 3, generator=generator)


@pytest.mark.parametrize(
    'norm_target, motion_stride, joint_patch_size',
    [(True, 1, 2), (False, 2, 1), (True, None, 1), ('clip', 1, 2)],
)
def test_exact_prediction_gives_back_the_clip(clip, norm_target, motion_stride, joint_patch_size):
    head = MAMPHead(norm_target, motion_stride, 4, joint_patch_size)
    decoder = decoder_of(norm_target, motion_stride, joint_patch_size)
    out = decoder.positions(head.target(clip), clip)
    torch.testing.assert_close(out, clip, rtol=0, atol=1e-5)


def test_positions_against_loops(clip):
    B, T, V, C = clip.shape
    pred = torch.randn(B, T // 4 * V, 4 * C, generator=torch.Generator().manual_seed(1))
    out = decoder_of(True, 1).positions(pred, clip)
    true, pred = clip.double().numpy(), pred.double().numpy()
    for b in range(B):
        for token in range(T // 4 * V):
            start, v = 4 * (token // V), token % V
            motion = np.zeros((4, C))
            for i in range(4):
                if start + i + 1 < T:
                    motion[i] = true[b, start + i + 1, v] - true[b, start + i, v]
            mean, var = motion.mean(), motion.var(ddof=1)
            position = true[b, start, v]
            for i in range(4):
                np.testing.assert_allclose(out[b, start + i, v], position, rtol=0, atol=1e-5)
                step = pred[b, token].reshape(4, C)[i]
                position = position + step * np.sqrt(var + 1e-6) + mean


def test_errors_of_a_steady_move():
    # every joint moves 2 cm a frame along x; the second person is absent
    x = torch.zeros(2, 8, 3, 3)
    x[0] = torch.rand(3, 3) + 1
    x[0, :, :, 0] += 0.02 * torch.arange(8)[:, None]
    head = MAMPHead(False, 1, 4, 1)
    output = dict(x=x, pred=head.target(x), mask=torch.ones(2, 6))
    errors = hidden_joint_errors(output, decoder_of(False, 1))
    # standing still is 2, 4 and 6 cm off in the frames after the first;
    # without the decoder nothing moves either, for targets as they are
    assert errors['decoder_cm'] == pytest.approx(0, abs=1e-3)
    assert errors['standing_still_cm'] == pytest.approx(4, abs=1e-3)
    assert errors['no_decoder_cm'] == pytest.approx(4, abs=1e-3)


def test_persons_of_a_clip(clip):
    output = dict(x=clip[[0, 0, 1, 2]].clone(), mask=(torch.rand(4, 18) < 0.5).float())
    output['x'][3] = 0
    output['pred'] = MAMPHead(True, 1, 4, 1).target(output['x'])
    first, second = make_masked_clips(output, decoder_of(True, 1), ['a', 'b'])
    assert isinstance(first, MaskedClip) and first.title == 'a'
    assert first.true.shape == (2, 12, 6, 3) == first.predicted.shape
    wanted = output['mask'][:2].bool().view(2, 3, 1, 6).expand(2, 3, 4, 6).flatten(1, 2)
    np.testing.assert_array_equal(first.hidden, wanted)
    assert present_persons(first.true) == [0]  # the second repeats the first
    assert present_persons(second.true) == [0]  # the second is all zeros
    np.testing.assert_allclose(second.true[0], clip[1])
