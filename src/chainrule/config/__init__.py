"""Names and options: which part a name stands for, what a kind of data has by default, what `fit` takes."""

from chainrule.config.old_names import old_attributes

__getattr__ = old_attributes(__name__)
