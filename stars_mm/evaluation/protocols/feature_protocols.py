"""The protocols that compare features: kNN, clusters, few-shot."""

from pathlib import Path
from typing import Any

from mmengine.logging import print_log

from stars_mm.engine.runner.checks import leaf_datasets
from stars_mm.evaluation.metrics import ClusterMetric, FeatureMetric, FewShotMetric, KNNMetric
from stars_mm.evaluation.protocols.features import ROLES, BankAndQuery, raw_rows
from stars_mm.evaluation.protocols.protocol import Protocol, Settings

_CI = '_ci95'


class FeatureProtocol(Protocol):
    """A protocol that compares features: knn, clusters or few-shot."""

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings)
        cfg = settings.protocol_cfg('fewshot') if name == 'few-shot' else None
        self.reader = settings.reader(cfg or settings.cfg)
        self.metric: FeatureMetric = KNNMetric()
        if name == 'clusters':
            self.metric = ClusterMetric(seed=settings.seed)
        if name == 'few-shot':
            self.metric = FewShotMetric(settings.shots, settings.episodes, seed=settings.seed)

    def check(self) -> None:
        self.reader.check(self.settings.encoder)
        self.metric.check_clips(*(self.reader.clips(role) for role in ROLES))

    def identity(self) -> dict:
        settings = self.settings
        identity: dict[str, Any] = {role: self.reader.key(settings.encoder, role) for role in ROLES}
        identity['baselines'] = settings.baselines
        if self.name != 'knn':
            identity['seed'] = settings.seed
        if self.name == 'few-shot':
            identity.update(shots=settings.shots, episodes=settings.episodes)
        return identity

    def run(self, folder: Path) -> dict:
        settings = self.settings
        bank, query = (self.reader.clips(role) for role in ROLES)
        baselines = self.raw_scores() if settings.baselines else {}
        self.metric.work_dir = str(folder)  # keeps the list of examples
        scores, spread = self._score(self.reader.read_encoder(settings.encoder))
        result = dict(
            scores=scores,
            baselines=baselines,
            seed=None if self.name == 'knn' else settings.seed,
            epoch=settings.encoder.meta.get('epoch'),
            clips=dict(bank=len(bank.labels), query=len(query.labels)),
            classes=len(set(query.labels)),
            protocol=f'bank: {bank.source}; query: {query.source}; {self._how()}',
        )
        if spread:
            result['spread'] = spread
            result['spread_of'] = f'95 % interval of the mean over {settings.episodes} draws'
        return result

    def raw_scores(self) -> dict[str, dict[str, float]]:
        """Scores of raw coordinates by row."""
        scores = {}
        for row, read in raw_rows(self.reader):
            print_log(f'{self.name}: {row}', logger='current')
            scores[row], _ = self._score(read())
        return scores

    def _score(self, features: BankAndQuery) -> tuple[dict[str, float], dict[str, float]]:
        """Scores, and the spread of those that have one."""
        found = self.metric.compute(features['bank'], features['query'])
        found = {key: round(value, 4) for key, value in found.items()}
        with_spread = [key for key in found if key.endswith(_CI)]
        return found, {key.removesuffix(_CI): found.pop(key) for key in with_spread}

    def _how(self) -> str:
        if self.name == 'knn':
            return f'cosine, {self.metric.protocol}'
        if self.name == 'clusters':
            how = 'k-means of the query against its classes (NMI, ARI)'
            return f'{how}, cosine distance (silhouette, distance ratio)'
        how = 'examples drawn from the bank, all query clips of all classes, cosine'
        return f'{how}; {self._novelty()}'

    def _novelty(self) -> str:
        """Whether the encoder's training had these classes, as far as the configs say."""
        asked = set(self.reader.clips('query').labels)
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


class RawComparison(FeatureProtocol):
    """Nearest neighbors on raw coordinates alone, for protocols without a raw row of their own."""

    def identity(self) -> dict:
        return {role: self.reader.clip_key(role) for role in ROLES}

    def run(self, folder: Path) -> dict:
        return dict(baselines=self.raw_scores())
