from collections.abc import Sequence
from pathlib import Path

from mmaction.registry import METRICS
from mmengine.dist import all_reduce, get_dist_info, is_main_process
from mmengine.logging import MMLogger

from stars_mm.engine.features import ClipList, FeatureSet
from stars_mm.evaluation.few_shot_lists import find_draws, read_draws, write_draws
from stars_mm.evaluation.functional.few_shot import (
    CLASSIFIERS,
    Draw,
    draw_exemplars,
    few_shot_hits,
    mean_and_interval,
)
from stars_mm.evaluation.metrics.feature_metric import FeatureMetric


@METRICS.register_module()
class FewShotMetric(FeatureMetric):
    """Recognition by a few labelled examples a class, drawn from the bank.

    In every draw each class gets its examples, and all query clips of these classes are classified
    by cosine similarity: by the nearest example (``fewshot/exemplar_5shot``) and by the nearest
    mean of a class's examples (``fewshot/mean_5shot``). The values are means over the draws, in
    percent; ``…_ci95`` is half the width of their 95 % confidence interval (Student's t), which
    speaks of the draws, not of other trainings.

    The examples are saved by name in ``<prefix>_exemplars.json`` in the work
    directory, and ``exemplars=PATH`` takes such a list instead of drawing.

    Args:
        shots (Sequence[int]): Numbers of examples a class.
        episodes (int): Number of draws; of a list, the first so many.
        ways (int, optional): Classes of a draw; all of them by default.
        seed (int): Seed of the draws.
        classifiers (Sequence[str]): Some of 'exemplar' and 'mean'.
        exemplars (str, optional): List of examples to repeat; its draws have
            the classes that it says, and no seed.
        collect_device (str): Where the ranks' features meet.
        prefix (str, optional): What stands before the names.
    """

    default_prefix = 'fewshot'

    def __init__(
        self,
        shots: Sequence[int] = (1, 2, 5),
        episodes: int = 100,
        ways: int | None = None,
        seed: int = 0,
        classifiers: Sequence[str] = CLASSIFIERS,
        exemplars: str | None = None,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        if not shots or min(shots) < 1 or len(set(shots)) < len(shots):
            raise ValueError(f'shots={shots} must be positive numbers, each once.')
        if episodes < 1 or seed < 0:
            raise ValueError(f'episodes={episodes} must be 1 or more, and seed={seed} 0 or more.')
        unknown = set(classifiers) - set(CLASSIFIERS)
        if unknown or not classifiers:
            raise ValueError(f'classifiers={classifiers}: choose some of {CLASSIFIERS}.')
        if ways is not None and (ways < 2 or exemplars is not None):
            raise ValueError(
                f'ways={ways}: at least 2 classes are told apart,'
                ' and a list of exemplars has ways of its own.'
            )
        self.shots, self.classifiers = tuple(shots), tuple(classifiers)
        self.episodes, self.ways, self.seed = episodes, ways, seed
        self.exemplars = exemplars
        if exemplars is not None:
            listed = read_draws(exemplars)
            if len(listed) < episodes:
                text = f'{exemplars}: holds {len(listed)} draws, and episodes={episodes}.'
                raise ValueError(f'{text} Ask for less.')
            self._listed = listed[:episodes]

    def check_clips(self, bank: ClipList, query: ClipList) -> None:
        """Check the classes, and that there are enough clips to draw."""
        classes, asked = set(bank.labels), set(query.labels)
        for absent, clips, other in (
            (classes - asked, bank, query),
            (asked - classes, query, bank),
        ):
            if absent:
                raise ValueError(
                    f'FewShotMetric: {len(absent)} classes of {clips.source} have no clip in '
                    f'{other.source}: {clips.titles(absent)}. Bank and query must have the same '
                    'classes: choose them by `labels` of the two data sets.'
                )
        self._draw(bank.names, bank.labels, bank.source)

    def compute(self, bank: FeatureSet, query: FeatureSet) -> dict[str, float]:
        """Mean over draws, and its interval; see :class:`FewShotMetric`."""
        if bank.names is None:
            raise KeyError(
                'FewShotMetric lists its examples by name, and a clip of the bank has none. Put it '
                "into the pipeline's last step: dict(type='PackActionInputs', "
                "meta_keys=('sample_idx', 'frame_dir'))."
            )
        draws = self._draw(bank.names, bank.labels.tolist(), 'the bank')
        MMLogger.get_current_instance().info(
            f'{self.prefix}: {len(query.labels)} clips of {len(draws[0])} classes by {self.shots} '
            f'examples a class, out of {len(bank.labels)} clips; cosine, mean and 95 % interval '
            f'over {len(draws)} draws'
        )
        rank, size = get_dist_info()
        asked = query.features[rank::size], query.labels[rank::size]
        hits, total = few_shot_hits(bank.features, *asked, draws, self.shots, self.classifiers)
        for count in (*hits.values(), total):  # whole numbers, whose sum has no order
            all_reduce(count)
        found = {key: (100 * count / total).tolist() for key, count in hits.items()}
        if self.exemplars is None and self.work_dir is not None and is_main_process():
            path = Path(self.work_dir) / f'{self.prefix}_exemplars.json'
            settings = dict(ways=self.ways, episodes=self.episodes, shots=self.shots)
            if names := (self.dataset_meta or {}).get('classes'):
                settings['class_names'] = names
            write_draws(path, draws, bank.names, seed=self.seed, **settings)
        scores = {}
        for (kind, n), values in found.items():
            mean, interval = mean_and_interval(values)
            scores[f'{kind}_{n}shot'] = mean
            if len(values) > 1:
                scores[f'{kind}_{n}shot_ci95'] = interval
        return scores

    def _draw(self, names: Sequence[str], labels: Sequence[int], source: str) -> list[Draw]:
        shared = len(names) - len(set(names))
        if shared:
            raise ValueError(
                f'FewShotMetric lists its examples by name, and {shared} clips of {source} share '
                'theirs with others.'
            )
        if self.exemplars is not None:
            shots = max(self.shots)
            return find_draws(self._listed, names, labels, shots, self.exemplars, source)
        settings = (max(self.shots), self.episodes, self.ways, self.seed)
        try:
            return draw_exemplars(labels, names, *settings)
        except ValueError as error:
            raise ValueError(f'FewShotMetric, {source}: {error}') from error
