"""Commands of the pages that can run here do, one after another; of the others it is said why."""

import json
import re
import shlex
import sys

import numpy as np
import pytest
from page_commands import ROOT, page_commands

from stars_mm.preparation.layouts import get_layout

COMMANDS = list(dict.fromkeys(shlex.join(words) for _, words in page_commands()))

#: The last checkpoint of the one training that runs.
LAST = 'work_dirs/stars_custom/CHECKPOINT'

#: Begin of a command of the pages → what makes it short here. They run in this order.
RUN = {
    'python tools/data/make_demo.py data/skeleton/demo.pkl': '--clips-per-class 6 --subjects 6',
    'python tools/data/inspect_annotations.py data/skeleton/demo.pkl --pictures': '',
    'python tools/data/convert.py recordings data/skeleton/custom.pkl --layout': '',
    'python tools/train.py configs/stars_custom.py': '--pretrain-epochs 1',
    f'python tools/test.py configs/stars_custom.py {LAST}': '',
    f'python tools/analysis/evaluate.py configs/stars_custom.py {LAST} --protocols knn ridge': (
        '--protocols knn few-shot ridge --episodes 2 --draws 1'
    ),
    'stars-mm learn examples actions.npz --layout coco-17': '',
    'stars-mm recognize actions.npz new_recordings --json found.json': '',
    'stars-mm doctor': '',
    'python tools/benchmarks/decoder_flops.py': '',
}

#: Pattern of a command → why its words are checked and it does not run.
ONLY_PARSED = {
    r'(pip|wget|mkdir|export|sphinx-build|ruff|mypy)\b': 'installs, gets data, or is in .ci/run',
    r'(bash tools/(run_tests|quickstart)|\.ci/run)': '.ci/run, which runs this test, runs them',
    r'(bash tools/dist_|torchrun|srun)': 'several processes: tests/tools/test_launchers.py',
    r'.*(ntu|pku|NTU)': 'data that has to be asked for; tests/configs steps each config once',
    r'.*tools/data/convert.py (all_sqe|Skeleton|kard|cad60|Bandai|SRC|takes)': (
        'recordings of others: tests/preparation/readers, tests/docs/test_own_recordings.py'
    ),
    r'.*tools/(train|test|analysis/\w+).py \S*(ablations|backbones|streams|fewshot|mamp)': (
        'minutes of training; tests/configs steps each config once'
    ),
    r'python tools/(train|test|analysis/\w+).py configs/stars_(nw-ucla|union|demo)': (
        'minutes of training; the quickstart in .ci/run has the same chain'
    ),
    r'python tools/(train|analysis/evaluate).py configs/stars_custom.py': 'as the one that runs',
    r'python tools/benchmarks': 'minutes of measuring; tests/tools/benchmarks runs them in small',
    r'python tools/model_converters': 'weights of others: tests/tools',
    r'python tools/analysis/fuse_scores.py': 'dumps of three trainings: tests/evaluation',
    r'python tools/data/inspect_annotations.py': 'as the one that runs',
    r'python tools/test.py CONFIG': 'stands for others',
    r'python -m timeit': 'measures mmengine',
    r'python -m (pytest|tests.fuzz.run|tests.faults.run)': '.ci/run, in its own size',
    r'python docs/examples': 'tests/docs/test_examples.py, tests/apis/test_export.py',
    r'stars-mm (--|\w+ --help)': 'help: tests/cli',
    r'stars-mm (learn examples actions.npz$|recognize actions.npz new( |.csv))': (
        'as the ones that run'
    ),
    r'stars-mm recognize actions.npz (long|--stream)': 'tests/cli/test_recognize.py',
    r'stars-mm export': 'half a minute; tests/apis/test_export.py',
    r'stars-mm report': 'of trainings; tests/evaluation/test_report.py',
}


def runs(command: str) -> bool:
    """Whether it begins like one that runs, and is no longer one."""
    longer = {'--work-dir', '--resume'} & set(command.split())
    return any(command.startswith(begin) for begin in RUN) and not longer


def test_each_command_runs_or_is_said_not_to():
    for command in COMMANDS:
        reasons = [why for pattern, why in ONLY_PARSED.items() if re.match(pattern, command)]
        assert runs(command) or reasons, f'{command!r} is in none of the lists'
    for pattern in ONLY_PARSED:
        left = [c for c in COMMANDS if re.match(pattern, c) and not runs(c)]
        assert left, f'no command is like {pattern!r} any more'
    for begin in RUN:
        assert any(c.startswith(begin) for c in COMMANDS), f'no command begins with {begin!r}'


def record(folder, classes, takes, seed=0):
    """CSV files of bodies in an image, which move in another way in each class."""
    rng = np.random.default_rng(seed)
    layout = get_layout('coco-17')
    header = ','.join(f'{joint}_{axis}' for joint in layout.joints for axis in ('x', 'y', 'score'))
    body = np.random.default_rng(1).normal(0, 60, (17, 2))
    for label in range(classes):
        ways = np.random.default_rng(label + 2).normal(0, 40, (17, 2))
        for take in range(takes):
            time = np.linspace(0, 2 * np.pi, int(rng.integers(30, 50)))
            clip = np.empty((len(time), 17, 3))
            clip[..., :2] = 500 + body + np.sin(time)[:, None, None] * ways
            clip[..., :2] += rng.normal(0, 2, clip[..., :2].shape)
            clip[..., 2] = rng.uniform(0.5, 1, clip.shape[:2])
            path = folder / f'swing{label}' / f's{take % 6:02}_{take}.csv'
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savetxt(path, clip.reshape(-1, 51), '%.3f', ',', header=header, comments='')


#: Runs command lines of a JSON file in one process, which imports torch once.
RUNNER = """
import json, pathlib, runpy, shlex, sys, time
for line in json.load(open('commands.json')):
    if 'CHECKPOINT' in line:
        last = pathlib.Path('work_dirs/stars_custom/last_checkpoint').read_text()
        line = line.replace('CHECKPOINT', last)
    words, begin = shlex.split(line), time.monotonic()
    try:
        if words[0] == 'python':
            sys.argv = words[1:]
            runpy.run_path(words[1], run_name='__main__')
        else:
            from stars_mm.cli.main import main
            sys.exit(main(words[1:]))
    except SystemExit as end:
        if end.code:
            sys.exit(f'{line}: {end.code}')
    print(f'--- {time.monotonic() - begin:.1f} s: {line}')
"""


@pytest.mark.slow
def test_commands_run(tmp_path, run_command):
    """From files to features, numbers and recognized actions, as the pages say it."""
    for name in ('tools', 'configs'):
        (tmp_path / name).symlink_to(ROOT / name)
    record(tmp_path / 'recordings', classes=4, takes=12)
    record(tmp_path / 'examples', classes=3, takes=5)
    record(tmp_path / 'new_recordings', classes=3, takes=2, seed=1)
    lines = []
    for begin, short in RUN.items():
        found = next(c for c in COMMANDS if c.startswith(begin) and runs(c))
        lines.append(f'{found} {short}')
    (tmp_path / 'commands.json').write_text(json.dumps(lines))
    done = run_command(sys.executable, '-c', RUNNER)
    assert done.stdout.count('\n--- ') + done.stdout.startswith('--- ') == len(RUN)
    assert 'sound: 0 faults' in done.stdout
    found = json.loads((tmp_path / 'found.json').read_text())
    assert [one['label'] for one in found] == [one['name'].split('/')[0] for one in found]
    table = json.loads(next(tmp_path.glob('work_dirs/*/evaluation.json')).read_text())
    assert table['knn']['scores']['top1_k1'] > 90
    assert {'few-shot', 'ridge'} <= set(table)
