"""Settings of the whole suite: one thread a process, no network, a fixed hypothesis profile."""

import torch
from hypothesis import settings

torch.set_num_threads(1)  # the models are tiny; `-n 2` uses both cores
settings.register_profile("chainrule", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("chainrule")
