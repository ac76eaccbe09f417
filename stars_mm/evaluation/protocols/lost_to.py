"""Says where what was learned loses to what needs no learning."""

from stars_mm.evaluation.protocols.results_table import format_measure, measure_title

_BY_ENCODER = ('random', 'checkpoint')


def lost_to(
    baselines: dict[str, dict[str, float]], spaces: dict[str, dict[str, dict]]
) -> list[str]:
    """A sentence for each feature of the checkpoint that is below the best row without learning.

    Rows are compared by the first measure of the protocol, more of which is better.

    Args:
        baselines (dict): Row → scores of the clips alone.
        spaces (dict): ``random`` and ``checkpoint`` → row → ``scores``.
    """
    random, learned = (
        {row: found['scores'] for row, found in spaces[name].items()} for name in _BY_ENCODER
    )
    measure = next(iter(next(iter(learned.values()))))
    fixed = {f'`{row}`': scores[measure] for row, scores in baselines.items() if measure in scores}
    fixed.update({f'`{row}` of random weights': own[measure] for row, own in random.items()})
    best = max(fixed, key=lambda row: fixed[row])
    sentences = []
    for row, scores in learned.items():
        value, bound = scores[measure], fixed[best]
        if value < bound:
            value_text, bound_text, less = (
                format_measure(number, measure) for number in (value, bound, bound - value)
            )
            points = 'points ' if measure_title(measure).endswith('(%)') else ''
            sentences.append(
                f'`{row}` {value_text} is {less} {points}below {best} {bound_text}, which needs '
                f'no training ({measure_title(measure).removesuffix(" (%)")}).'
            )
    return sentences
