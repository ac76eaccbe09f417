import json

import pytest

from stars_mm.evaluation.protocols.training_log import read_scalars, read_training_log


def write_run(work_dir, timestamp, lines):
    folder = work_dir / timestamp / 'vis_data'
    folder.mkdir(parents=True)
    text = ''.join(json.dumps(line) + '\n' for line in lines)
    (folder / 'scalars.json').write_text(text)
    return folder / 'scalars.json'


def train(step, loss, epoch):
    return dict(loss=loss, epoch=epoch, iter=step, step=step)


def val(epoch, knn):
    return {'knn/top1_k1': knn, 'step': epoch}


def test_resumed_runs_are_merged(tmp_path):
    # killed in epoch 3, resumed from the end of epoch 2, without a save
    write_run(
        tmp_path,
        '20240101_000000',
        [train(10, 1.0, 1), val(1, 50.0), train(20, 0.9, 2), val(2, 60.0), train(25, 0.7, 3)],
    )
    write_run(tmp_path, '20240102_000000', [train(30, 0.5, 3), val(3, 70.0)])
    write_run(tmp_path, '20240103_000000', [])  # resumed when finished
    log = read_training_log(tmp_path)
    assert log.train_series('loss') == ([10, 20, 25, 30], [1.0, 0.9, 0.7, 0.5])
    assert log.val_series('knn/top1_k1', 10) == ([10, 20, 30], [50.0, 60.0, 70.0])


def test_repeated_epochs_count_once(tmp_path):
    write_run(
        tmp_path,
        '20240101_000000',
        [train(10, 1.0, 1), val(1, 50.0), train(20, 0.9, 2), val(2, 60.0)],
    )
    write_run(tmp_path, '20240102_000000', [train(15, 0.8, 2), val(2, 65.0)])
    log = read_training_log(tmp_path)
    assert log.train_series('loss') == ([10, 15], [1.0, 0.8])
    assert log.val_series('knn/top1_k1') == ([1, 2], [50.0, 65.0])


def test_fresh_run_replaces_a_longer_one(tmp_path):
    write_run(
        tmp_path,
        '20240101_000000',
        [train(s, 1.0, s // 10) for s in range(10, 60, 10)] + [val(5, 90.0)],
    )
    write_run(tmp_path, '20240102_000000', [train(10, 2.0, 1), val(1, 40.0)])
    log = read_training_log(tmp_path)
    assert log.train_series('loss') == ([10], [2.0])
    assert log.val_series('knn/top1_k1') == ([1], [40.0])


@pytest.mark.parametrize(
    'bad', ['loss: 3', '[1, 2]', '{"loss": 1.0}', '{"loss": 1.0, "step": "7"}']
)
def test_malformed_line_is_named(tmp_path, bad):
    path = write_run(tmp_path, '1', [train(1, 1.0, 1)])
    path.write_text(path.read_text() + bad + '\n' + path.read_text())
    with pytest.raises(ValueError, match='line 2') as error:
        read_scalars(path)
    assert str(path) in str(error.value) and bad[:20] in str(error.value)


def test_cut_off_last_line_is_left_out(tmp_path):
    path = write_run(tmp_path, '1', [train(1, 1.0, 1)])
    path.write_text(path.read_text() + '{"loss": 0.5, "st')
    with pytest.warns(UserWarning, match='line 2 is cut off'):
        assert read_scalars(path) == [train(1, 1.0, 1)]


def test_no_log(tmp_path):
    with pytest.raises(FileNotFoundError, match='scalars.json'):
        read_training_log(tmp_path)
