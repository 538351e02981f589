"""The import of torch at the start of a command."""

import subprocess
import sys


def ended_with(code):
    """What a process of its own prints."""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()


def test_the_collector_rests_while_torch_is_imported_and_collects_again_afterwards():
    """No run of the collector but the few of before; afterwards what is in a circle is collected, as ever."""
    code = (
        "import gc; from chainrule.cli.quick_start import import_torch; before = gc.get_stats()[2]['collections'];"
        "import_torch(); ran = gc.get_stats()[2]['collections'] - before;"
        "print(ran, gc.isenabled(), gc.get_freeze_count() > 10000);"
        "circle = []; circle.append(circle); del circle; print(gc.collect() > 0)"
    )
    assert ended_with(code) == ["0", "True", "True", "True"]


def test_a_process_that_has_torch_already_is_left_as_it_is():
    code = (
        "import gc, sys; from types import ModuleType; from chainrule.cli.quick_start import import_torch;"
        "sys.modules['torch'] = ModuleType('torch'); gc.disable();"
        "import_torch(); print(gc.isenabled(), gc.get_freeze_count())"
    )
    assert ended_with(code) == ["False", "0"]


def test_an_import_that_fails_leaves_the_collector_on():
    code = (
        "import gc, sys; from chainrule.cli.quick_start import import_torch;"
        "sys.path[:] = []; sys.path_importer_cache.clear()\n"
        "try:\n    import_torch()\nexcept ImportError:\n    print(gc.isenabled())"
    )
    assert ended_with(code) == ["True"]
