"""The engine on a Ray cluster: an `engine.Engine` in each actor.

Ray Data hands out paths to the actors. An actor has a group of cores, and a GPU where the cluster
has GPUs, and loads the model once. Every machine reads the recordings and the model under the same
paths, and has this package installed. When a machine dies, Ray gives its files to others, and each
file still gets one row; only the process that began the run writes.
"""

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..inference.backends import Location
from ..support.environment import count_cores
from .engine import Engine, load_model
from .settings import EngineSettings
from .table import Columns

if TYPE_CHECKING:
    import pyarrow as pa

FILES = 32  # given to an actor at once: lost when it dies, and enough to fill batches
CORES = 8  # of an actor, where its machine has as many


class Predictor:
    """An actor: paths to rows."""

    def __init__(self, location: Location, hop: int, settings: EngineSettings):
        self._location, self._hop, self._settings = location, hop, settings
        self._loaded: tuple[Engine, Columns] | None = None

    def __call__(self, paths: "pa.Table") -> "pa.Table":
        """Return `Columns.rows` for paths in the binary column `path`. Raises InputError."""
        engine, columns = self._loaded = self._loaded or self._load()
        return columns.table(list(engine.predict(paths["path"].to_pylist())))

    def _load(self) -> tuple[Engine, Columns]:
        # at the first call: Ray passes on the exception of a call, of a constructor only its text
        model = load_model(self._location, self._settings.threads or 1)
        return Engine(model, self._hop, self._settings), Columns.of(model.task)


def predict(
    location: Location, hop: int, paths: "pa.Array", settings: EngineSettings
) -> Iterator["pa.Table"]:
    """Yield tables of `Columns.rows` that hold each file once.

    Args:
        location: the model's.
        hop: samples from one window to the next.
        paths: `(files,)` binary.
        settings: of the run.

    Raises:
        InputError: no Ray, no cluster, or a model that does not load on one of its machines.
    """
    import pyarrow as pa

    ray = _import_ray()
    _connect(ray, settings.ray_address)
    try:
        settings, actors, resources = _plan(ray, settings)
        tables = [pa.table({"path": paths[at : at + FILES]}) for at in range(0, len(paths), FILES)]
        actors = min(actors, len(tables))
        # when a machine dies, its work can wait for one of the other actors: one actor suffices
        pool = ray.data.ActorPoolStrategy(min_size=1, max_size=actors, initial_size=actors)
        rows = ray.data.from_arrow(tables).map_batches(
            Predictor,
            fn_constructor_args=(location, hop, settings),
            batch_size=FILES,
            batch_format="pyarrow",
            compute=pool,
            **resources,
        )
        yield from rows.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
    except ray.exceptions.RayTaskError as error:
        if not isinstance(error.cause, InputError):
            raise
        raise InputError(f"on a machine of the cluster: {error.cause}") from error
    finally:
        ray.shutdown()


def _import_ray() -> Any:
    """Return the module. Raises InputError where Ray is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
        import ray.exceptions
    except ImportError as error:
        raise InputError(
            f'the engine ray needs Ray ({error}): pip install "adff-tf[ray]", on every machine of '
            "the cluster"
        ) from None
    return ray


def _connect(ray: Any, address: str | None) -> None:
    """Join a cluster, or start one on this machine. Raises InputError where none responds."""
    import logging

    here = {"address": "local", "num_cpus": count_cores(), "include_dashboard": False}
    how = {"address": address} if address else here
    try:
        ray.init(**how, log_to_driver=False, logging_level=logging.ERROR, configure_logging=True)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(
            f"no Ray cluster responds at {how['address']}: {error}\n"
            "Start one with: ray start --head"
        ) from None
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.raise_original_map_exception = True


def _plan(ray: Any, settings: EngineSettings) -> tuple[EngineSettings, int, dict[str, int]]:
    """Return an actor's settings, the number of actors, and the resources of each."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = int(sum(node.get("GPU", 0) for node in nodes))
    smallest = int(min((node["CPU"] for node in nodes if node.get("CPU")), default=1))
    cores = settings.cores_per_actor or max(1, min(CORES, smallest))
    fitting = int(sum(node.get("CPU", 0) // cores for node in nodes))
    actors = min(gpus, fitting) if gpus else fitting
    if not actors:
        raise InputError(
            f"no machine of the cluster has {cores} cores for an actor; set cores_per_actor lower "
            "(--cores-per-actor)"
        )
    resources = {"num_cpus": cores} | ({"num_gpus": 1} if gpus else {})
    return settings.for_machine(cores, bool(gpus)), actors, resources
