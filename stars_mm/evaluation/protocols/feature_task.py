"""The protocols that compare features: kNN, clusters, few-shot."""

from pathlib import Path

from mmengine.logging import print_log

from stars_mm.evaluation.metrics import ClusterMetric, FeatureMetric, FewShotMetric, KNNMetric
from stars_mm.evaluation.protocols.features import read_baselines
from stars_mm.evaluation.protocols.task import Settings, Task


class FeatureTask(Task):
    """A protocol that compares features: knn, clusters or few-shot."""

    def __init__(self, name: str, settings: Settings) -> None:
        super().__init__(name, settings)
        cfg = settings.cfg
        if name == 'few-shot':
            cfg = settings.protocol_cfg('fewshot') or cfg
        self.data = settings.feature_data(cfg)
        self.metric = self._build_metric()

    def _build_metric(self) -> FeatureMetric:
        settings = self.settings
        if self.name == 'knn':
            return KNNMetric()
        if self.name == 'clusters':
            return ClusterMetric(seed=settings.seed)
        return FewShotMetric(settings.shots, settings.episodes, seed=settings.seed)

    def check(self) -> None:
        self.settings.store.check(self.data)
        self.metric.check_clips(self.data.clips('bank'), self.data.clips('query'))

    def identity(self) -> dict:
        store, settings = self.settings.store, self.settings
        identity = dict(
            bank=store.digest(self.data, 'bank'),
            query=store.digest(self.data, 'query'),
            baselines=settings.baselines,
        )
        if self.name != 'knn':
            identity['seed'] = settings.seed
        if self.name == 'few-shot':
            identity.update(shots=settings.shots, episodes=settings.episodes)
        return identity

    def run(self, folder: Path) -> dict:
        bank, query = (self.data.clips(role) for role in ('bank', 'query'))
        baselines = self.read_baseline_scores()
        self.metric.work_dir = str(folder)  # keeps the list of examples
        scores, spread = self._score(self.settings.store.read(self.data))
        result = dict(
            scores=scores,
            baselines=baselines,
            seed=None if self.name == 'knn' else self.settings.seed,
            epoch=self.settings.store.encoder.meta.get('epoch'),
            clips=dict(bank=len(bank.labels), query=len(query.labels)),
            classes=len(set(query.labels)),
            protocol=f'bank: {bank.source}; query: {query.source}; {self._how()}',
        )
        if spread:
            result.update(
                spread=spread,
                spread_of=f'95 % interval of the mean over {self.settings.episodes} draws',
            )
        return result

    def read_baseline_scores(self) -> dict[str, dict[str, float]]:
        """Scores of raw coordinates by row, none where nobody wants them."""
        if not self.settings.baselines:
            return {}
        scores = {}
        for row, read in read_baselines(self.data):
            print_log(f'{self.name}: {row}', logger='current')
            scores[row], _ = self._score(read())
        return scores

    def _score(self, features: dict) -> tuple:
        found = self.metric.compute(features['bank'], features['query'])
        ending = '_ci95'
        return (
            {key: round(value, 4) for key, value in found.items() if not key.endswith(ending)},
            {
                key[: -len(ending)]: round(value, 4)
                for key, value in found.items()
                if key.endswith(ending)
            },
        )

    def _how(self) -> str:
        if self.name == 'knn':
            return f'cosine, {self.metric.protocol}'
        if self.name == 'clusters':
            return (
                'k-means of the query against its classes (NMI, ARI), '
                'cosine distance (silhouette, distance ratio)'
            )
        return (
            'examples drawn from the bank, all query clips of all '
            f'classes, cosine; {self._novelty()}'
        )

    def _novelty(self) -> str:
        """Whether the encoder's training had these classes, as far as the configs say."""
        train = self.settings.cfg.train_dataloader.dataset
        asked = set(self.data.clips('query').labels)
        if train.ann_file != self.data.loader_cfg('query').dataset.ann_file:
            return 'other data than those of training'
        seen = train.get('labels')
        if seen is not None and any(isinstance(s, str) for s in seen):
            return f'training had the classes {list(seen)}'
        count = len(asked if seen is None else asked & set(seen))
        return (
            f'by the config, training had clips of {count} of these '
            f'{len(asked)} classes, without labels'
        )


class Comparison(FeatureTask):
    """Nearest neighbours on raw coordinates alone, for protocols that have no
    raw row of their own."""

    def identity(self) -> dict:
        return {role: self.data.digest(role) for role in ('bank', 'query')}

    def run(self, folder: Path) -> dict:
        return dict(baselines=self.read_baseline_scores())
