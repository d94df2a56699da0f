"""What the tests of the scripts share: needed packages, temporary folders, tiny models."""
import importlib
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parents[3] / "scripts" / "python"


def need(*packages):
    """Ends the test as skipped, with the reason, if a package is missing."""
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError:
            print(f"skipped: {sys.executable} has no {package}; scripts/python/make_venv.sh installs it")
            sys.exit(77)


def script(name, *words, code=0):
    """Runs a script; returns what it printed. Fails unless its exit code is as expected."""
    run = subprocess.run([sys.executable, SCRIPTS / name, *map(str, words)], capture_output=True, text=True)
    if run.returncode != code:
        raise AssertionError(f"{name} exited with {run.returncode}:\n{run.stdout}{run.stderr}")
    return run.stdout + run.stderr


class FolderTest(unittest.TestCase):
    """A test with a temporary folder, self.dir."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.dir = pathlib.Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()
