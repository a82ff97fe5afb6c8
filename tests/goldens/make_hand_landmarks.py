"""Write hand_landmarks.npz: what MediaPipe's own hand solution says of the photos of hands11k-mini.

Run it in an environment of its own, since mediapipe needs an older protobuf than TensorFlow:

    python3.11 -m venv DIR && DIR/bin/pip install mediapipe==0.10.14
    DIR/bin/python tests/goldens/make_hand_landmarks.py …/hands11k-mini/Hands

Every photo gets a border of 40 pixels that repeats its outermost ones, since hands there reach the border; static images,
model complexity 1, all other settings as they come. The file holds numbers alone: per photo its name, the 21 landmarks (x, y
in tenths of a pixel of the photo without the border), what it takes the hand for ("Left" is meant for a mirrored camera) and
that score.
"""

import sys
import time
from pathlib import Path

import mediapipe
import numpy as np
from PIL import Image

BORDER_PX = 40
NUM_LANDMARKS = 21


def main() -> None:
    """Write the file beside this one."""
    paths = sorted(Path(sys.argv[1]).glob("*.jpg"))
    solution = mediapipe.solutions.hands.Hands(static_image_mode=True, max_num_hands=1, model_complexity=1)
    landmarks = np.zeros((len(paths), NUM_LANDMARKS, 2), np.int16)
    found, left, score = (np.zeros(len(paths), dtype) for dtype in (bool, bool, np.float32))
    begin = time.perf_counter()
    for row, path in enumerate(paths):
        photo = np.asarray(Image.open(path).convert("RGB"))
        photo = np.pad(photo, ((BORDER_PX, BORDER_PX), (BORDER_PX, BORDER_PX), (0, 0)), mode="edge")
        result = solution.process(photo)
        if not result.multi_hand_landmarks:
            continue
        points = np.array([(p.x, p.y) for p in result.multi_hand_landmarks[0].landmark])
        landmarks[row] = np.round(10 * (points * photo.shape[1::-1] - BORDER_PX))
        kind = result.multi_handedness[0].classification[0]
        found[row], left[row], score[row] = True, kind.label == "Left", kind.score
    seconds = time.perf_counter() - begin
    names = np.array([path.name for path in paths])
    target = Path(__file__).with_name("hand_landmarks.npz")
    np.savez_compressed(
        target, names=names, found=found, landmarks=landmarks, left=left, score=score.astype(np.float16)
    )
    print(f"{found.sum()} of {len(paths)} found, {seconds / len(paths) * 1e3:.1f} ms a photo; wrote {target}")


if __name__ == "__main__":
    main()
