"""What the commands of the command line do, one file each."""

from chainrule.config.old_names import old_attributes

__getattr__ = old_attributes(__name__)
