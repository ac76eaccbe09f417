"""Writes what mmpose sees in a webcam, or in a video, as lines of JSON.

    python docs/examples/webcam_mmpose.py | stars-mm recognize actions.npz --stream
    python docs/examples/webcam_mmpose.py --input video.mp4 > frames.jsonl

The joints are coco-17, in pixels: learn the actions from recordings that were made in the same way.
Needs mmpose 1.x with mmdet, which finds the persons.
"""

import argparse
import json
import time

from mmpose.apis import MMPoseInferencer


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--input', default='webcam', help='webcam, webcam:1, or a video')
    parser.add_argument('--pose2d', default='human', help="one of mmpose's models")
    parser.add_argument('--fps', type=float, help="of a video; a webcam's frames come when they do")
    args = parser.parse_args()
    pose = MMPoseInferencer(pose2d=args.pose2d)
    for number, result in enumerate(pose(args.input)):
        when = number / args.fps if args.fps else time.monotonic()
        instances = [  # of the one image
            dict(keypoints=one['keypoints'], keypoint_scores=one['keypoint_scores'])
            for one in result['predictions'][0]
        ]
        print(json.dumps(dict(time=when, instances=instances)), flush=True)


if __name__ == '__main__':
    main()
