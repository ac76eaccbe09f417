from dataclasses import replace

from mmaction.registry import MODELS, TASK_UTILS
from torch.utils.data import DataLoader

from stars_mm.engine.features import extract_features
from stars_mm.evaluation.functional.feature_space import FEATURE_SPACES, compare_spaces
from stars_mm.evaluation.functional.knn import knn_accuracy

#: Spaces of the clips alone in which they are compared.
BASELINE_SPACES = ('raw_half_whitened', 'geometry', 'geometry_pulled')


@TASK_UTILS.register_module()
def knn_baselines(bank_loader: DataLoader, query_loader: DataLoader) -> dict[str, float]:
    """How often the nearest neighbor is of the same class without any learning.

    Args:
        bank_loader (DataLoader): Clips to search, with the pipeline of a test.
        query_loader (DataLoader): Clips whose neighbors are wanted.

    Returns:
        dict[str, float]: Row → accuracy for k = 1 in percent: ``raw`` coordinates and
        ``BASELINE_SPACES``, fitted to the bank.
    """
    parts = sorted({part for space in BASELINE_SPACES for part in FEATURE_SPACES[space]['parts']})
    model = MODELS.build(dict(type='PartFeatures', parts=parts))
    bank, query = (extract_features(model, loader) for loader in (bank_loader, query_loader))
    clips = [model.split(each.features) for each in (bank, query)]
    found = {'raw': [each['raw'] for each in clips], **compare_spaces(BASELINE_SPACES, *clips)}
    rows = {}
    for row, (bank_feats, query_feats) in found.items():
        bank, query = replace(bank, features=bank_feats), replace(query, features=query_feats)
        (feats, labels), asked = ((x.features, x.labels) for x in (bank.labeled(), query.labeled()))
        knn = knn_accuracy(feats, labels, *asked, ks=[1])
        rows[row] = knn['top1_k1']
    return rows
