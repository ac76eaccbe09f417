"""Runs protocols one after another, and repeats none that is finished."""

import json
import time
from difflib import get_close_matches
from pathlib import Path

from mmengine.logging import print_log

from stars_mm.evaluation.protocols.cache_key import cache_key
from stars_mm.evaluation.protocols.feature_protocols import ClipComparison, FeatureProtocol
from stars_mm.evaluation.protocols.protocol import Protocol, Settings
from stars_mm.evaluation.protocols.results_table import results_page
from stars_mm.evaluation.protocols.training_protocols import SEMI, TrainingProtocol
from stars_mm.utils.atomic import write_text
from stars_mm.utils.environment import device_name, package_versions
from stars_mm.utils.json_file import read_json

_BY_FEATURES = ('knn', 'clusters', 'few-shot', 'ridge')
PROTOCOLS = (*_BY_FEATURES, 'linear', 'finetune', 'semi-1', 'semi-10', 'transfer')


def evaluate(names: list[str], settings: Settings, out: Path, command: str) -> dict:
    """Evaluate a checkpoint by some of ``PROTOCOLS``, or ``semi-<percent>``.

    Everything that can be found wrong is, before the first protocol starts: a ValueError. After
    each one the results, protocol → result and ``meta``, are written to the ``.json`` ``out``, and
    the Markdown table beside it, which repeats the user's ``command``; an interruption loses
    nothing but the protocol that it interrupts, and a training goes on where it was. A result is
    read back where recipe, checkpoint, clips, settings and code are the same.
    """
    protocols = [_build(name, settings) for name in dict.fromkeys(names)]
    for protocol in protocols:
        print_log(f'Checking {protocol.name}', logger='current')
        protocol.check()
    encoder = settings.encoder
    results = {}
    meta = dict(
        config=str(settings.cfg.filename),
        checkpoint=dict(path=encoder.path, sha256=encoder.digest, **encoder.meta),
        command=command,
    )
    if not any(isinstance(p, FeatureProtocol) for p in protocols):
        meta['comparison'] = _run_once(ClipComparison('comparison', settings))
    for protocol in protocols:
        results[protocol.name] = _run_once(protocol)
        whole = dict(results, meta=meta)
        write_text(out, json.dumps(whole, indent=2, ensure_ascii=False) + '\n')
        write_text(out.with_suffix('.md'), results_page(whole))
    return whole


def _build(name: str, settings: Settings) -> Protocol:
    """The protocol of a name, not checked yet."""
    if name in _BY_FEATURES:
        return FeatureProtocol(name, settings)
    if name in PROTOCOLS or SEMI.fullmatch(name):
        return TrainingProtocol(name, settings)
    close = get_close_matches(name, PROTOCOLS, n=1)
    hint = f' Did you mean "{close[0]}"?' if close else ''
    known = f'{", ".join(PROTOCOLS)}, and semi-<percent>'
    raise ValueError(f'--protocols: there is no "{name}".{hint} There are {known}.')


def _run_once(protocol: Protocol) -> dict:
    """Run a protocol, or read what it left."""
    folder = protocol.settings.work_dir / f'{protocol.name}_{cache_key(protocol.identity())[:10]}'
    path = folder / 'result.json'
    if path.is_file():
        print_log(f'{protocol.name}: read back from {path}', logger='current')
        return read_json(path, remedy='Remove it: the protocol runs again.')
    print_log(f'{protocol.name}: in {folder}', logger='current')
    begin = time.monotonic()
    found = protocol.run(folder)
    found.setdefault('seconds', round(time.monotonic() - begin, 1))
    found.update(hardware=device_name(), versions=package_versions())
    write_text(path, json.dumps(found, indent=2, ensure_ascii=False) + '\n')
    return found
