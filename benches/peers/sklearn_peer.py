"""An epoch of scikit-learn's BernoulliRBM, beside strait's CD-1 and PCD-1.

    python sklearn_peer.py cd-VISIBLExHIDDEN|pcd-VISIBLExHIDDEN IMAGES REPETITIONS DATA

prints one line of JSON with the seconds of each repetition. Whatever it is asked for, BernoulliRBM does persistent
contrastive divergence with one step, without momentum, weight cost and an error; its loss is another one and is not
compared.
"""

import gzip
import json
import sys
import time

import numpy as np
import sklearn
from sklearn.neural_network import BernoulliRBM

work, images, repetitions, folder = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
rate = 0.01 if work.startswith("pcd") else 0.1
visible, hidden = map(int, work.rpartition("-")[2].split("x"))
if visible == 784:
    with gzip.open(f"{folder}/train-images-idx3-ubyte.gz") as file:
        values = np.frombuffer(file.read(), np.uint8, offset=16)[: images * visible].reshape(images, visible)
else:
    values = (np.arange(images)[:, None] * 7919 + np.arange(visible)[None, :] * 104729) % 251
data = values.astype(np.float32) / 255

seconds = []
for _ in range(repetitions + 1):
    rbm = BernoulliRBM(n_components=hidden, learning_rate=rate, batch_size=100, n_iter=1, random_state=2006)
    start = time.perf_counter()
    rbm.fit(data)
    seconds.append(time.perf_counter() - start)
print(json.dumps({"seconds": seconds[1:], "loss": None, "version": sklearn.__version__}))
