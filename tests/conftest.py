"""Settings of the whole suite: two threads, no network, a fixed hypothesis profile."""

import torch
from hypothesis import settings

torch.set_num_threads(2)
settings.register_profile("chainrule", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("chainrule")
