"""The camera, and the errors of a Kinect v2 body tracker."""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import convolve1d, gaussian_filter1d

from stars_mm.demo import body
from stars_mm.demo.kinematics import rot_x, rot_y

FPS = 30  # Kinect v2 tracks bodies at 30 Hz
# As NTU RGB+D was recorded: three cameras at once, 45° apart.
CAMERA_YAWS = np.deg2rad([-45.0, 0.0, 45.0])
# People do not face the middle camera exactly.
YAW_SPREAD = np.deg2rad(12.0)
# Within Kinect v2's working range (0.5 m to 4.5 m), far enough to see a body.
DISTANCE = (2.6, 4.2)
HEIGHT = (0.8, 2.2)  # of the camera above the floor in metres
CHEST = 1.0  # the camera is tilted to look at about this height in metres
TILT_SPREAD = np.deg2rad(4.0)

# Tracking error in metres at 3 m, one standard deviation. Kinect v2's joints are off by one to two
# centimetres in good conditions; most of that error stays through a clip, some changes slowly, and
# the tracker's own filter leaves little jitter from frame to frame. How little was set by
# recordings: in NW-UCLA a tenth of the joints' steps from frame to frame are below 2.7 mm, and
# successive steps correlate by 0.52; between every second frame of the demo, the closer match in
# time, it is 2.6 mm and 0.61.
BIAS, SLOW_NOISE, FAST_NOISE, NOISE_DISTANCE = 0.010, 0.005, 0.0015, 3.0
SLOW_SECONDS = 0.2  # standard deviation of the slow part's smoothing
TRACKER_FILTER = np.array([0.25, 0.5, 0.25])
DEPTH_FACTOR = 1.4  # depth is the worst-measured axis
# Factors on the noise: joints at the ends of limbs, the limbs that the own
# body hides from the camera.
JOINT_FACTOR = np.ones(body.NUM_JOINTS)
JOINT_FACTOR[[*body.WRIST, *body.HAND]] = 1.2, 1.2, 1.5, 1.5
JOINT_FACTOR[[*body.HAND_TIP, *body.THUMB]] = 2.2, 2.2, 2.5, 2.5
JOINT_FACTOR[[*body.ANKLE, *body.FOOT]] = 1.4, 1.4, 1.6, 1.6
HIDDEN_FACTOR = 1.5
# Mean number of events in a second of a clip: a limb that jumps for some
# frames (metres), a joint that freezes ("inferred" by the tracker).
JUMP_RATE, JUMP_FRAMES, JUMP_SIZE = 0.25, (3, 12), 0.10
FREEZE_RATE, FREEZE_FRAMES = 0.25, (4, 15)


@dataclass
class Camera:
    """Where a clip is seen from; angles in radians, lengths in metres."""

    yaw: float  # turn of the scene about the vertical
    tilt: float  # of the camera, downward
    height: float  # above the floor
    distance: float  # to the middle of the scene
    aside: float  # the scene's offset from the middle of the view

    @classmethod
    def draw(cls, rng: np.random.Generator) -> 'Camera':
        """Draw a camera; see the constants of this module."""
        height, distance = rng.uniform(*HEIGHT), rng.uniform(*DISTANCE)
        return cls(
            yaw=rng.choice(CAMERA_YAWS) + rng.normal(0, YAW_SPREAD),
            tilt=np.arctan2(height - CHEST, distance) + rng.normal(0, TILT_SPREAD),
            height=height,
            distance=distance,
            aside=rng.normal(0, 0.25),
        )

    def view(self, joints: np.ndarray) -> np.ndarray:
        """(..., 3) from scene axes (floor, y up) to camera space, metres."""
        yaw, tilt = np.array([self.yaw]), np.array([self.tilt])
        offset = np.array([self.aside, -self.height, self.distance])
        scene = joints @ rot_y(yaw)[0].T + offset
        return scene @ rot_x(tilt)[0].T


def track(joints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What the body tracker makes of a person's (T, 25, 3) true joints in camera space, metres."""
    scale = _noise_scale(joints)
    slow = _slow_noise(rng, joints.shape)
    fast = rng.normal(size=joints.shape)
    bias = rng.normal(size=joints.shape[1:])
    seen = joints + scale * (BIAS * bias + SLOW_NOISE * slow + FAST_NOISE * fast)
    num_frames, limbs = len(joints), body.ARMS + body.LEGS
    seconds = num_frames / FPS
    for _ in range(rng.poisson(JUMP_RATE * seconds)):
        limb = limbs[rng.integers(len(limbs))]
        # The joints from some point of the limb on go astray together.
        astray = list(limb[rng.integers(1, len(limb)) :])
        first, last = _span(rng, num_frames, JUMP_FRAMES)
        seen[first:last, astray] += rng.normal(0, JUMP_SIZE, size=3)
    for _ in range(rng.poisson(FREEZE_RATE * seconds)):
        joint = rng.integers(seen.shape[1])
        first, last = _span(rng, num_frames, FREEZE_FRAMES)
        seen[first:last, joint] = seen[first, joint]
    return convolve1d(seen, TRACKER_FILTER, axis=0, mode='nearest')


def _noise_scale(joints):
    """(T, 25, 3) factors on the noise, from the true joints."""
    depth = np.maximum(joints[..., 2:], 0.5) / NOISE_DISTANCE
    hidden = np.zeros(joints.shape[:2])
    across = joints[:, body.SHOULDER[1]] - joints[:, body.SHOULDER[0]]
    # Share of the shoulder line along the view: > 0, the right side is behind.
    away = across[:, 2] / np.maximum(np.linalg.norm(across, axis=-1), 1e-6)
    for side, sign in enumerate((-1.0, 1.0)):
        behind = np.maximum(sign * away, 0)[:, None]
        hidden[:, body.ARMS[side] + body.LEGS[side]] = behind
    scale = JOINT_FACTOR * (1 + HIDDEN_FACTOR * hidden)
    return scale[..., None] * depth * np.array([1.0, 1.0, DEPTH_FACTOR])


def _slow_noise(rng, shape):
    """Smooth noise of unit variance along the frames."""
    sigma = SLOW_SECONDS * FPS
    noise = gaussian_filter1d(rng.normal(size=shape), sigma, axis=0)
    # a Gaussian window of this width keeps 1 / (2 √π σ) of white noise
    return noise * np.sqrt(2 * np.sqrt(np.pi) * sigma)


def _span(rng, num_frames, lengths):
    length = rng.integers(*lengths, endpoint=True)
    first = int(rng.integers(0, max(num_frames - length, 1)))
    return first, first + int(length)
