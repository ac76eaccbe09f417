"""``stars-mm doctor`` looks without importing."""

import json
import sys
from importlib import metadata

import pytest

from stars_mm.cli import doctor
from stars_mm.cli.main import main
from stars_mm.utils.known_traps import Finding


def test_it_imports_nothing_that_may_fail(run_command):
    """In a process of its own, as the command; and says what is installed."""
    code = """if True:
        import sys
        sys.argv = ['stars-mm', 'doctor', '--json']
        from stars_mm.cli import main
        status = main()
        assert not {'torch', 'numpy', 'mmengine', 'mmcv', 'mmaction', 'cv2'} & set(sys.modules)
    """
    found = json.loads(run_command(sys.executable, '-c', code).stdout)
    assert list(found) == ['versions', 'machine', 'faults', 'notes']
    assert found['versions']['mmaction2'] == metadata.version('mmaction2')
    assert found['versions']['torch'].startswith(metadata.version('torch') + ' (')


@pytest.mark.parametrize('is_fault', [True, False])
def test_status_and_text(is_fault, monkeypatch, capsys):
    monkeypatch.setattr(doctor, 'find_traps', lambda found: [Finding('it is', 'do so', is_fault)])
    assert main(['doctor']) == int(is_fault)
    printed = capsys.readouterr().out
    kind, last = ('FAULT', '1 fault') if is_fault else ('note', 'no faults')
    assert f'{kind}: it is\n    remedy: do so\n' in printed and printed.strip().endswith(last)
    assert f'numpy                  {metadata.version("numpy")}\n' in printed
    assert main(['doctor', '--json']) == int(is_fault)
    found = json.loads(capsys.readouterr().out)
    assert found['faults' if is_fault else 'notes'] == [dict(what='it is', remedy='do so')]
