"""One process of test_two_processes.py: ``RANK`` of 2, gloo on the CPU.

Usage: python one_of_two_ranks.py RANK FOLDER
"""

import sys

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import MMDistributedDataParallel
from torch import distributed as dist

import stars_mm  # noqa: F401  registers the models

torch.set_num_threads(1)


def main(rank: int, folder: str) -> None:
    """Run the batches in FOLDER/batches.pt, leave what came of each."""
    dist.init_process_group('gloo', init_method=f'file://{folder}/store', rank=rank, world_size=2)
    given = torch.load(f'{folder}/batches.pt')
    torch.manual_seed(rank)  # other weights; those of rank 0 win
    model = MMDistributedDataParallel(MODELS.build(given['model']), broadcast_buffers=False)
    steps = []
    for batch in given['batches']:
        before = _snapshot(model)
        model.zero_grad()
        inputs, ids = batch['inputs'][rank], batch['ids'][rank]
        loss = model(
            inputs, [ActionDataSample(metainfo=dict(sample_idx=int(i))) for i in ids], mode='loss'
        )['loss']
        loss.backward()
        steps.append(
            dict(
                before=before,
                loss=loss.detach(),
                after=_snapshot(model),
                grads={
                    name: param.grad.clone()
                    for name, param in model.module.named_parameters()
                    if param.requires_grad
                },
            )
        )
    torch.save(steps, f'{folder}/rank{rank}.pt')
    dist.barrier()  # neither closes its connections while the other sends
    dist.destroy_process_group()


def _snapshot(model) -> dict:
    """Copy of the weights and buffers, which the next step changes."""
    return {name: value.clone() for name, value in model.module.state_dict().items()}


if __name__ == '__main__':
    main(int(sys.argv[1]), sys.argv[2])
