"""NNCLR against a loop-written oracle."""

import io

import pytest
import torch
import torch.nn.functional as F

from stars_mm.models.heads import NNCLRHead


@pytest.fixture
def head():
    head = NNCLRHead(6, hidden_channels=9, queue_size=10, temperature=0.2)
    head.queue.push(F.normalize(torch.randn(10, 6)), torch.tensor([3, 1, 4, 1, 5, 9, 2, 6, 5, 3]))
    for param in head.parameters():  # no neutral weight or bias
        torch.nn.init.normal_(param)
    return head


@pytest.mark.parametrize('num_views', [1, 2, 3])
def test_loss_gradient_and_queue(head, nnclr_oracle, num_views):
    feats = [torch.randn(4, 6, requires_grad=True) for _ in range(num_views)]
    ids = torch.tensor([1, 5, 8, 3])
    queue, queue_ids = head.queue.feats.clone(), head.queue.ids.clone()
    params = dict(head.named_parameters())
    inputs = feats + list(params.values())

    expected, entries = nnclr_oracle(params, [(feats, ids)], queue, queue_ids, 0.2)
    loss = head.loss(feats, ids)
    assert list(loss) == ['loss']
    torch.testing.assert_close(loss['loss'], expected, rtol=1e-5, atol=1e-6)
    grads, wanted = torch.autograd.grad(loss['loss'], inputs), torch.autograd.grad(expected, inputs)
    scale = max(grad.abs().max().item() for grad in wanted)
    torch.testing.assert_close(grads, wanted, rtol=1e-4, atol=1e-5 * scale)
    torch.testing.assert_close(head.queue.feats[:4], entries)
    assert torch.equal(head.queue.feats[4:], queue[4:])
    assert head.queue.ids.tolist() == [1, 5, 8, 3] + queue_ids[4:].tolist()
    assert head.queue.ptr.tolist() == [4]


def test_topk_takes_neighbors_at_random(head):
    head.topk = 3
    feats, ids = torch.randn(4, 6), torch.arange(20, 24)
    projection = head(feats)[0].detach()
    found = torch.stack([head.neighbors(projection, ids) for _ in range(60)])  # (60, N, C)
    ranking = (projection @ head.queue.feats.t()).argsort(dim=1, descending=True)
    for n in range(4):
        nearest = head.queue.feats[ranking[n, :3]]
        picks = (found[:, n, None] == nearest).all(-1)  # (60, 3)
        assert picks.sum(1).eq(1).all() and picks.any(0).all()


def test_a_resumed_head_goes_on_with_the_same_neighbors(head):
    batches = [([torch.randn(4, 6)], torch.arange(4) + step) for step in range(4)]
    for batch in batches[:2]:
        head.loss(*batch)
    file = io.BytesIO()
    torch.save(head.state_dict(), file)
    file.seek(0)
    resumed = NNCLRHead(6, 9, queue_size=10, temperature=0.2)
    resumed.load_state_dict(torch.load(file))
    for batch in batches[2:]:
        assert torch.equal(head.loss(*batch)['loss'], resumed.loss(*batch)['loss'])


def test_autocast_keeps_queue_and_logits_in_float32(head):
    feats, ids = torch.randn(4, 6), torch.arange(4)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        projection, prediction = head(feats)
        neighbors = head.neighbors(projection, ids)
        loss = head.loss([feats], ids)['loss']
    assert projection.dtype == prediction.dtype == head.queue.feats.dtype == torch.float32
    logits = neighbors @ prediction.t() / 0.2
    torch.testing.assert_close(loss, -logits.log_softmax(dim=1).diagonal().mean())
    torch.testing.assert_close(head.queue.feats[:4], projection.detach())
