"""Run a module of the package as it runs where only the core is installed.

    python -m tests.core.without_extras adff_tf.predict MODEL SONG

Importing a module of an extra raises ModuleNotFoundError, as in an environment without the extra.
"""

import importlib.abc
import runpy
import sys

EXTRAS = {
    "tensorflow", "keras", "librosa", "sklearn", "scipy", "pandas", "matplotlib", "pyarrow",
    "filelock", "psutil", "grpc", "ray", "keras_tuner", "tensorboard", "huggingface_hub",
}  # fmt: skip


class Missing(importlib.abc.MetaPathFinder):
    """Finds no module of an extra."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def main() -> None:
    sys.meta_path.insert(0, Missing())
    module = sys.argv[1]
    sys.argv = sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
