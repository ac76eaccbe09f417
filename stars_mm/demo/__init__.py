"""The embedded demo data: skeleton actions made by a kinematic body model.

What is modelled, from the inside out:

* **Bodies** (``body``): segment lengths as ratios of stature (Drillis &
  Contini 1966, the table reprinted in Winter, *Biomechanics and Motor Control of Human Movement*),
  varied from subject to subject, with an own amplitude, tempo, posture, stance and handedness.
* **Motion** (``pose``, ``solo_actions``, ``pair_actions``): every action is a script that steers a
  few controls of the body with minimum-jerk strokes (Flash & Hogan 1985) and sinusoids, over idle
  sway and wandering idle arms, and with a turn that has nothing to do with the action. What returns
  to its start is done again and again, and the clip is cut anywhere out of such a run.
* **Kinematics** (``kinematics``): forward kinematics of trunk and head, closed
  form two-bone chains for arms and legs, so that bone lengths are constant and
  feet stay on the floor.
* **Recording** (``sensor``): camera yaw, height, tilt and distance, and the
  errors of a Kinect v2 body tracker: noise that is correlated over time, grows with distance and is
  worse for limb ends and for the arm behind the body; joints that freeze, limbs that jump.
* **Data set** (``generator``): mmaction2's annotation format with a
  cross-subject split.

Joints and axes are those of NTU RGB+D (Kinect v2): 25 joints, camera space in
metres, y up, z depth, and x growing to the *sensor's* left, so that a person
who faces the camera has the right shoulder at the larger x.

Only numpy and SciPy are needed here.
"""

from stars_mm.demo.body import Subject, draw_subject
from stars_mm.demo.generator import CLASS_NAMES, NUM_PERSONS, make_annotations, make_clip

__all__ = ['CLASS_NAMES', 'NUM_PERSONS', 'Subject', 'draw_subject', 'make_annotations', 'make_clip']
