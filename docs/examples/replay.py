"""Replays a recording as lines of JSON, as fast as it was recorded.

    python docs/examples/replay.py recording.csv --layout kinect-20 \
        | stars-mm recognize actions.npz --stream
"""

import argparse
import json
import time

from stars_mm.apis.inputs import ReadOptions, read_clips


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('recordings', nargs='+', help='as stars-mm recognize takes them')
    parser.add_argument('--layout', help='their joints, where they do not say')
    parser.add_argument('--fps', type=float, default=30, help='frames a second')
    parser.add_argument('--speed', type=float, default=1, help='times as fast')
    args = parser.parse_args()
    begin, frames = time.monotonic(), 0
    for clip in read_clips(args.recordings, ReadOptions(layout=args.layout)):
        for bodies in clip.keypoint.swapaxes(0, 1):  # (M, V, C)
            present = bodies[bodies.any(axis=(1, 2))]
            line = dict(time=round(frames / args.fps, 4), keypoints=present.tolist())
            print(json.dumps(line), flush=True)
            frames += 1
            wait = frames / args.fps / args.speed - (time.monotonic() - begin)
            time.sleep(max(wait, 0))


if __name__ == '__main__':
    main()
