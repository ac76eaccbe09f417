"""The protocols that compare features: kNN, clusters, few-shot, ridge."""

import logging
from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from stars_mm.engine.runner.checks import leaf_datasets
from stars_mm.evaluation.functional.class_results import class_results, find_neighbors
from stars_mm.evaluation.metrics import (
    ClusterMetric,
    FeatureMetric,
    FewShotMetric,
    KNNMetric,
    RidgeMetric,
)
from stars_mm.evaluation.protocols.clip_rows import RAW_ROWS, clip_rows
from stars_mm.evaluation.protocols.features import GEOMETRY_ROWS, PUBLISHED, ROLES, BankAndQuery
from stars_mm.evaluation.protocols.lost_to import lost_to
from stars_mm.evaluation.protocols.protocol import Protocol, Settings

_KS = (1, 2, 5, 10)
#: Where a score's spread is found: an interval of the mean, a standard deviation.
_SPREADS = ('_ci95', '_std')
#: Rows that a protocol leaves out: best of turns is a comparison and no feature; a classifier on
#: thousands of coordinates takes long.
_LEFT_OUT = {'clusters': {'raw_best_of_turns'}, 'ridge': {*RAW_ROWS} - {'raw_half_whitened'}}


class FeatureProtocol(Protocol):
    """A protocol that compares features: knn, clusters, few-shot or ridge.

    Every result stands beside the rows that need no learning, of the clips alone and of the encoder
    with random weights, by the same protocol.
    """

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings)
        cfg = settings.protocol_cfg('fewshot') if name == 'few-shot' else None
        self.reader = settings.reader(cfg or settings.cfg)
        self.metric = self._metric()

    def _metric(self) -> FeatureMetric:
        settings = self.settings
        if self.name == 'clusters':
            return ClusterMetric(seed=settings.seed)
        if self.name == 'few-shot':
            metric = FewShotMetric(settings.shots, settings.episodes, seed=settings.seed)
            metric.dataset_meta = dict(classes=self.reader.class_names())
            return metric
        if self.name == 'ridge':
            return RidgeMetric(draws=settings.draws, seed=settings.seed)
        clips = len(self.reader.clips('bank').labeled().labels)
        return KNNMetric([k for k in _KS if k <= clips])

    def check(self) -> None:
        self.reader.check(self.settings.encoder)
        self.metric.prepare(*(self.reader.clips(role) for role in ROLES))

    def identity(self) -> dict:
        settings = self.settings
        identity: dict[str, Any] = dict(
            features=self.reader.key(settings.encoder),
            baselines=settings.baselines,
            seed=settings.seed,
        )
        if self.name == 'few-shot':
            identity.update(shots=settings.shots, episodes=settings.episodes)
        if self.name == 'ridge':
            identity['draws'] = settings.draws
        return identity

    def run(self, folder: Path) -> dict:
        settings = self.settings
        bank, query = (self.reader.clips(role).labeled() for role in ROLES)
        self.metric.work_dir = str(folder)  # keeps the list of examples
        baselines = self.clip_scores()
        encoders = dict(
            random=self.reader.read_random(settings.seed),
            checkpoint=self.reader.read_encoder(settings.encoder),
        )
        spaces = {
            name: {row: self._score(features) for row, features in rows.items()}
            for name, rows in encoders.items()
        }
        published = spaces['checkpoint'][PUBLISHED]
        result = dict(
            published,
            baselines=baselines,
            spaces=spaces,
            lost_to=lost_to(baselines, spaces),
            seed=None if self.name == 'knn' else settings.seed,
            epoch=settings.encoder.meta.get('epoch'),
            clips=dict(bank=len(bank.labels), query=len(query.labels)),
            classes=len(set(query.labels)),
            protocol=f'bank: {bank.source}; query: {query.source}; {self._how()}',
        )
        if 'spread' in published:
            draws = f'mean over {settings.episodes} draws'
            result['spread_of'] = f'95 % interval of the {draws}'
            if self.name == 'ridge':
                result['spread_of'] = f'standard deviation of {settings.draws} draws'
        found = encoders['checkpoint'][PUBLISHED]
        learned, asked = (found[role].labeled() for role in ROLES)
        predicted = self.metric.predict(learned, asked)
        if predicted is not None:
            neighbors = find_neighbors(learned.features, bank.names, bank.labels, asked.features)
            class_names = self.reader.class_names()
            result['by_class'] = class_results(
                query.names, query.labels, predicted.numpy(), class_names, neighbors
            )
        for sentence in result['lost_to']:
            print_log(f'{self.name}: {sentence}', logger='current', level=logging.WARNING)
        return result

    def clip_scores(self) -> dict[str, dict[str, float]]:
        """Row → scores of the clips alone, without an encoder."""
        rows = [*(RAW_ROWS if self.settings.baselines else ()), *GEOMETRY_ROWS]
        asked = [row for row in rows if row not in _LEFT_OUT.get(self.name, ())]
        scores = {}
        for row, features in clip_rows(self.reader, asked):
            print_log(f'{self.name}: {row}', logger='current')
            scores[row] = self._score(features)['scores']
        return scores

    def _score(self, features: BankAndQuery) -> dict[str, dict[str, float]]:
        """``scores``, and ``spread`` of those that have one."""
        found = self.metric.compute(*(features[role].labeled() for role in ROLES))
        found = {key: round(value, 4) for key, value in found.items()}
        spread = {}
        for end in _SPREADS:
            for key in [key for key in found if key.endswith(end)]:
                spread[key.removesuffix(end)] = found.pop(key)
        return dict(scores=found, spread=spread) if spread else dict(scores=found)

    def _how(self) -> str:
        if self.name == 'knn':
            return f'cosine, {self.metric.protocol}'
        if self.name == 'clusters':
            how = 'k-means of the query against its classes (NMI, ARI)'
            return f'{how}, cosine distance (silhouette, distance ratio)'
        if self.name == 'ridge':
            how = 'ridge classifier, its strength chosen by leave-one-out on the bank; 10 % of the '
            return f'{how}labels: {self.settings.draws} draws, each class the same number'
        how = 'examples drawn from the bank, all query clips of all classes, cosine'
        return f'{how}; {self._novelty()}'

    def _novelty(self) -> str:
        """Whether the encoder's training had these classes, as far as the configs say."""
        asked = set(self.reader.clips('query').labeled().labels)
        file = self.reader.loader_cfg('query').dataset.ann_file
        trained = leaf_datasets(self.settings.cfg.train_dataloader.dataset)
        train = next((dataset for dataset in trained if dataset['ann_file'] == file), None)
        if train is None:
            return 'other data than those of training'
        seen = train.get('labels')
        if seen is not None and any(isinstance(s, str) for s in seen):
            return f'training had the classes {list(seen)}'
        count = len(asked if seen is None else asked & set(seen))
        of = f'{count} of these {len(asked)} classes'
        return f'by the config, training had clips of {of}, without labels'


class ClipComparison(FeatureProtocol):
    """Nearest neighbors on the clips alone, for protocols without such rows of their own."""

    def identity(self) -> dict:
        clips = {role: self.reader.clip_key(role) for role in ROLES}
        return dict(clips, baselines=self.settings.baselines)

    def run(self, folder: Path) -> dict:
        return dict(baselines=self.clip_scores())
