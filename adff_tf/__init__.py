"""Valence and arousal of music by ADFF (Huang et al., Interspeech 2022) in Keras and TensorFlow.

`import adff_tf` loads no TensorFlow: each public name is imported at its first use.
"""

import importlib

__version__ = "0.2.0.dev0"

_PUBLIC = {  # name: its module
    "AudioError": "audio",
    "Emotion": "inference.model",
    "EmotionModel": "inference.model",
    "Experiment": "config",
    "InputError": "errors",
    "build_adff": "model.network",
    "run": "training.run",
}
_MODULES = ("presets", "datasets")

__all__ = [*_PUBLIC, *_MODULES, "__version__"]


def __getattr__(name: str):
    if name in _MODULES:
        return importlib.import_module(f".{name}", __name__)
    if name not in _PUBLIC:
        raise AttributeError(
            f"module 'adff_tf' has no attribute {name!r}; it has {', '.join(__all__)}"
        )
    return getattr(importlib.import_module(f".{_PUBLIC[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
