"""Measures what time live recognition takes of a second of motion.

    python tools/benchmarks/live_latency.py data/skeleton/utd-mhad.pkl --split xsub

Learns all classes from 5 examples of each and pushes clips of the test part, one after another, at
30 frames a second of motion but as fast as they are taken. Prints the milliseconds that all pushes
of a second of motion take together, on the wall's clock and on the processors', and the longest
single one.
"""

import argparse
import time

import numpy as np
import torch

from stars_mm.apis import FewShotRecognizer, LiveRecognizer, SkeletonInferencer

FPS = 30


def measure(live: LiveRecognizer, frames: np.ndarray) -> tuple[np.ndarray, float]:
    """Seconds of every push of frames (T, M, V, C), and those of the processors of all together."""
    walls = np.empty(len(frames))
    begin = time.process_time()
    for number, bodies in enumerate(frames):
        start = time.perf_counter()
        live.push(bodies)
        walls[number] = time.perf_counter() - start
    return walls, time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add('annotations', help='annotation file')
    add('--split', default='xsub', help='before _train and _val (default: %(default)s)')
    add('--shots', type=int, default=5, help='examples a class')
    add('--seconds', type=float, default=60, help='of motion that are measured')
    add('--threads', type=int, default=torch.get_num_threads())
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    recognizer = FewShotRecognizer(SkeletonInferencer(device='cpu')).learn(
        args.annotations, args.shots, split=f'{args.split}_train'
    )
    clips = recognizer.encode.read(args.annotations, split=f'{args.split}_val')
    bodies = np.concatenate([clip.keypoint[0] for clip in clips])[:, None]  # (T, M, V, C)
    bodies = bodies[: int(args.seconds * FPS)]
    measure(LiveRecognizer(recognizer, FPS), bodies[: 5 * FPS])  # warms up
    live = LiveRecognizer(recognizer, FPS)
    live._follower.follow = lambda one, scores: one[0]  # of several subjects one after another
    walls, processors = measure(live, bodies)
    seconds = len(bodies) / FPS
    print(
        f'{len(recognizer.classes)} classes of {args.shots} examples, {args.threads} threads, '
        f'{seconds:.0f} s of motion: {1000 * walls.sum() / seconds:.1f} ms a second (processors '
        f'{1000 * processors / seconds:.1f} ms), longest push {1000 * walls.max():.1f} ms'
    )


if __name__ == '__main__':
    main()
