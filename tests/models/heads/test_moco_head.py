"""MoCo against a loop-written oracle."""

import pytest
import torch
import torch.nn.functional as F

from stars_mm.models.heads import MoCoHead

QUEUE_IDS = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3]


@pytest.fixture
def head():
    head = MoCoHead(6, hidden_channels=9, queue_size=10, temperature=0.2)
    head.queue.push(F.normalize(torch.randn(10, 6)), torch.tensor(QUEUE_IDS))
    return head


def moco_in_loops(queries, keys, ids, queue, queue_ids, temperature):
    """Mean over ordered view pairs and samples of −log softmax."""
    views = range(len(queries))
    losses = []
    for i in views:
        for j in views:
            if i == j and len(queries) > 1:
                continue
            for n, own in enumerate(ids.tolist()):
                query = queries[i][n] / queries[i][n].norm()
                logits = [query.dot(keys[j][n] / keys[j][n].norm())]
                for entry, owner in zip(queue, queue_ids.tolist()):
                    if owner != own:
                        logits.append(query.dot(entry))
                logits = torch.stack(logits) / temperature
                losses.append(logits.exp().sum().log() - logits[0])
    return torch.stack(losses).mean()


@pytest.mark.parametrize('num_views', [1, 2, 3])
def test_loss_gradient_and_queue(head, num_views):
    feats = [torch.randn(4, 6, requires_grad=True) for _ in range(num_views)]
    targets = [torch.randn(4, 6, requires_grad=True) for _ in feats]
    ids = torch.tensor([1, 5, 8, 3])  # three of them have keys in the queue
    queue, queue_ids = head.queue.feats.clone(), head.queue.ids.clone()
    inputs = feats + list(head.parameters())

    outputs = [head.projector(feat) for feat in feats]
    expected = moco_in_loops(outputs, targets, ids, queue, queue_ids, 0.2)
    loss = head.loss(feats, ids, targets)
    assert list(loss) == ['loss']
    torch.testing.assert_close(loss['loss'], expected, rtol=1e-5, atol=1e-6)
    grads = torch.autograd.grad(loss['loss'], inputs, retain_graph=True)
    torch.testing.assert_close(grads, torch.autograd.grad(expected, inputs), rtol=1e-4, atol=1e-5)
    assert torch.autograd.grad(loss['loss'], targets, allow_unused=True) == (None,) * num_views
    torch.testing.assert_close(head.queue.feats[:4], F.normalize(targets[0]))
    assert not head.queue.feats.requires_grad
    assert torch.equal(head.queue.feats[4:], queue[4:])
    assert head.queue.ids.tolist() == [1, 5, 8, 3] + QUEUE_IDS[4:]
    assert head.queue.ptr.tolist() == [4]


def test_without_a_teacher_the_keys_are_the_students_own_in_float32(head):
    feat, ids = torch.randn(4, 6), torch.arange(4)
    keys, queue = [head.projector(feat)], head.queue
    expected = moco_in_loops(keys, keys, ids, queue.feats.clone(), queue.ids.clone(), 0.2)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = head.loss([feat], ids)['loss']
    assert loss.dtype == queue.feats.dtype == torch.float32
    torch.testing.assert_close(loss, expected, rtol=0.05, atol=0)


def test_defaults_are_the_papers():
    head = MoCoHead()
    assert (head.queue.size, head.temperature, head.teacher_momentum) == (32768, 0.07, 0.999)
