import json

import pytest

from stars_mm.evaluation.protocols.training_log import read_scalars, read_training_log


def train(step, loss, epoch):
    return dict(loss=loss, epoch=epoch, iter=step, step=step)


def val(epoch, knn):
    return {'knn/top1_k1': knn, 'step': epoch}


def write_run(work_dir, timestamp, *lines):
    path = work_dir / timestamp / 'vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    return path


BEGUN = [train(10, 1.0, 1), val(1, 50.0), train(20, 0.9, 2), val(2, 60.0), train(25, 0.7, 3)]


@pytest.mark.parametrize(
    'runs, losses, knns',
    [
        # killed in epoch 3, resumed from the end of epoch 2, and when it was finished
        (
            [BEGUN, [train(30, 0.5, 3), val(3, 70.0)], []],
            {10: 1.0, 20: 0.9, 25: 0.7, 30: 0.5},
            {1: 50.0, 2: 60.0, 3: 70.0},
        ),
        # epoch 2 repeated
        ([BEGUN, [train(15, 0.8, 2), val(2, 65.0)]], {10: 1.0, 15: 0.8}, {1: 50.0, 2: 65.0}),
        # a fresh run in the place of a longer one
        ([BEGUN, [train(10, 2.0, 1), val(1, 40.0)]], {10: 2.0}, {1: 40.0}),
    ],
)
def test_runs_are_merged(tmp_path, runs, losses, knns):
    for number, lines in enumerate(runs):
        write_run(tmp_path, f'2024010{number}_000000', *lines)
    log = read_training_log(tmp_path)
    assert log.train_series('loss') == (list(losses), list(losses.values()))
    assert log.val_series('knn/top1_k1') == (list(knns), list(knns.values()))
    assert log.val_series('knn/top1_k1', 10)[0] == [10 * epoch for epoch in knns]


def test_lines_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match='scalars.json'):
        read_training_log(tmp_path)
    path = write_run(tmp_path, '1', train(1, 1.0, 1))
    line = path.read_text()
    for bad in ('loss: 3', '[1, 2]', '{"loss": 1.0, "step": "7"}'):
        path.write_text(f'{line}{bad}\n{line}')
        with pytest.raises(ValueError, match=f'{path}.*line 2') as error:
            read_scalars(path)
        assert bad[:20] in str(error.value)
    path.write_text(line + '{"loss": 0.5, "st')
    with pytest.warns(UserWarning, match='line 2 is cut off'):
        assert read_scalars(path) == [train(1, 1.0, 1)]
