"""Models on the Hugging Face Hub, `hf://USER/NAME`, and the folder that an export writes for it.

`download` fetches `model.tflite`, which holds front end, network and description, with its card
and licence, by huggingface_hub (the extra `hub`). Endpoint, token, cache and offline mode are
huggingface_hub's own (`HF_ENDPOINT`, `HF_TOKEN`, `HF_HOME`, `HF_HUB_OFFLINE`). Nothing here loads
TensorFlow.
"""

import re
from pathlib import Path
from types import ModuleType

from ..errors import InputError
from ..support.console import missing_extra, printable
from ..support.files import is_disk_full
from .description import FILE

TFLITE = "model.tflite"
DOWNLOADED = (TFLITE, FILE, "README.md", "LICENSE")
FORM = "hf://USER/NAME or hf://USER/NAME@REVISION"


def hub_name(path: str | Path) -> str | None:
    """Return `USER/NAME[@REVISION]` of `hf://USER/NAME[@REVISION]`; None for any other path.

    A command line makes a `Path`, which collapses the two slashes to one; both forms are read.
    """
    text = Path(path).as_posix()
    return text[4:] if text == "hf:" or text.startswith("hf:/") else None


def tflite_in(folder: Path) -> Path | None:
    """Return the `model.tflite` of a folder in the hub's layout; None for another folder."""
    file = folder / TFLITE
    return file if file.is_file() and (folder / FILE).is_file() else None


def download(name: str) -> Path:
    """Return the `model.tflite` of a model on the hub, from the cache where it is current.

    Args:
        name: of `hub_name`. A revision is a branch, a tag or a commit; `main` by default.

    Raises:
        InputError: no name, no such model or revision, a repository without a `model.tflite`, no
            network, or huggingface_hub is not installed.
    """
    no_name = InputError(f"hf://{printable(name)} is no name of a model on the hub; give {FORM}")
    if not re.fullmatch(r"[^/@]+/[^/@]+(@.+)?", name):
        raise no_name
    hub = import_hub()
    from huggingface_hub import constants, errors

    repository, _, revision = name.partition("@")
    try:
        folder = hub.snapshot_download(
            repository, revision=revision or None, allow_patterns=list(DOWNLOADED)
        )
        if file := tflite_in(Path(folder)):
            return file
        problem = f"holds no {TFLITE}, so it was not written by: adff-export --formats hub"
    except errors.HFValidationError:
        raise no_name from None
    except errors.GatedRepoError:
        problem = "asks for an agreement first; accept it on its page, and log in by: hf auth login"
    except errors.RepositoryNotFoundError:
        problem = (
            f"is not on {constants.ENDPOINT}, or is private; check the name, or log in by: "
            "hf auth login"
        )
    except errors.RevisionNotFoundError:
        problem = f"has no revision {revision}; give a branch, a tag or a commit of it"
    except errors.LocalEntryNotFoundError:
        reason = (
            "HF_HUB_OFFLINE forbids downloads"
            if constants.HF_HUB_OFFLINE
            else f"{constants.ENDPOINT} cannot be reached"
        )
        problem = f"is not in the cache, and {reason}; try again online, or give a model's folder"
    except Exception as error:  # any type: releases of huggingface_hub use different HTTP libraries
        if isinstance(error, OSError) and is_disk_full(error):
            raise
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        problem = f"cannot be downloaded ({reason}); try again"
    raise InputError(f"hf://{printable(name)} {problem}")


def import_hub() -> ModuleType:
    """Return huggingface_hub. Raises InputError where it is not installed."""
    try:
        import huggingface_hub
    except ModuleNotFoundError as error:
        if error.name != "huggingface_hub":
            raise
        raise InputError(missing_extra("huggingface_hub")) from None
    return huggingface_hub
