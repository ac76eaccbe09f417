"""Learn actions from a few examples of each, without training.

    stars-mm learn examples actions.npz --layout coco-17
    stars-mm learn data/skeleton/custom.pkl actions.npz --split xsub_train --shots 5
    stars-mm learn more_examples actions.npz --add

EXAMPLES is a folder with a folder a class, or an annotation file. OUT.npz holds all that
`stars-mm recognize` needs: the encoder, what is done to a clip, the examples' features.
"""

import argparse

from stars_mm.cli.reading import add_reading, reading

#: Those of :mod:`stars_mm.apis.classifiers`; help does not wait for torch.
CLASSIFIERS = ('nearest-example', 'class-mean', 'linear')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add('examples', nargs='?', help='folder with a folder a class, or annotation file')
    add('out', metavar='OUT.npz', help='the recognizer')
    add(
        '--model',
        default='stars://common-15',
        help='an encoder that ships, a name of model-index.yml, or a config (default: %(default)s)',
    )
    add('--checkpoint', help="the config's weights")
    add('--shots', type=int, help='take so many examples of each class, drawn at random')
    add('--seed', type=int, default=0, help='of the draw')
    add('--fps', type=float, help='frames a second of the examples, where later ones have others')
    choices = ('auto', *CLASSIFIERS)
    add('--classifier', choices=choices, default='auto', help='(default: the best on the examples)')
    add('--unlabeled', help='recordings whose classes nobody knows, to compare by')
    add('--add', action='store_true', help='add to the classes that OUT.npz knows')
    add(
        '--remove', nargs='+', default=[], metavar='CLASS', help='classes that OUT.npz is to forget'
    )
    add_reading(parser)


def main(args: argparse.Namespace) -> None:
    from stars_mm.apis import FewShotRecognizer, SkeletonInferencer
    from stars_mm.apis.few_shot_recognizer import check_name
    from stars_mm.apis.inputs import labeled

    check_name(args.out)
    options = reading(args)
    if args.add or args.remove:
        recognizer = FewShotRecognizer.load(args.out)
        for label in args.remove:
            recognizer.remove(label)
        if args.examples:
            how = recognizer.reading(options)
            recognizer.add(labeled(args.examples, how))
    elif args.examples is None:
        raise ValueError('EXAMPLES: give a folder or an annotation file to learn from.')
    else:
        encode = SkeletonInferencer(args.model, args.checkpoint)
        recognizer = FewShotRecognizer(encode, args.classifier).learn(
            args.examples, args.shots, args.seed, args.unlabeled, args.fps, **options
        )
    recognizer.save(args.out)
    print(recognizer.summary())
    print(f'written to {args.out}')
