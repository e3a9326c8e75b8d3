"""Networks, their export, and the model folder."""

import os

# OpenMP's threads wait for each other by spinning, which brings training almost to a halt as soon as anything
# else wants a core, such as the processes that read the images. It must be set before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
