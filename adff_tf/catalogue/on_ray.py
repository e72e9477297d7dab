"""The engine on a Ray cluster: Ray Data hands out paths, and each actor, one a GPU or a group of cores, is a `local.Engine` that
loaded the model once.

Every machine reads the recordings and the model under the same paths, and has this package installed. Where a machine dies Ray
gives what it was at to others, and a file's row comes once all the same; only the process that started it all writes.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from . import local, models, table
from .local import Effort

if TYPE_CHECKING:
    import pyarrow as pa

FILES = (
    32  # that an actor is given at once: what it loses when it dies, and what it fills batches from
)
CORES = 8  # an actor's, where its machine has as many


@dataclass(frozen=True)
class Cluster:
    """Which cluster, and how it is used. address: of a cluster that runs, such as `auto` or `10.0.0.1:6379`; None starts one on
    this machine. cores: an actor's. The other fields are those of `Effort`, None for what suits an actor."""

    address: str | None = None
    cores: int | None = None
    decoders: int | None = None
    threads: int | None = None
    batch: int | None = None
    patience_s: float = Effort.patience_s


class Scorer:
    """An actor: paths in, rows out."""

    def __init__(self, named: models.Named, hop: int, effort: Effort):
        model = models.load(named, effort.threads)
        self._columns, self._engine = table.Columns.of(model.task), local.Engine(model, hop, effort)

    def __call__(self, paths: "pa.Table") -> "pa.Table":
        """paths: the column `path`, binary."""
        return self._columns.table(list(self._engine.scored(paths["path"].to_pylist())))


def scored(
    named: models.Named, hop: int, paths: "pa.Array", cluster: Cluster
) -> Iterator["pa.Table"]:
    """Tables of `table.Columns.scored`, each file in one of them. hop: samples. Raises InputError where Ray or the cluster is
    missing."""
    import pyarrow as pa

    ray = _ray()
    _connect(ray, cluster.address)
    try:
        effort, pool, resources = _plan(ray, cluster)
        tables = [pa.table({"path": paths[at : at + FILES]}) for at in range(0, len(paths), FILES)]
        data = ray.data.from_arrow(tables).map_batches(
            Scorer,
            fn_constructor_args=(named, hop, effort),
            batch_size=FILES,
            batch_format="pyarrow",
            compute=_pool(ray, min(pool, len(tables))),
            **resources,
        )
        yield from data.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
    except ray.exceptions.RayError as error:
        raise _explained(error) from error
    finally:
        ray.shutdown()


def _ray() -> Any:
    """The module. Raises InputError where it is not installed."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.data
        import ray.exceptions
    except ImportError as error:
        raise InputError(
            f'--engine ray needs Ray ({error}): pip install "adff-tf[ray]", on every machine of the cluster'
        ) from None
    return ray


def _connect(ray: Any, address: str | None) -> None:
    """Join the cluster, or start one here. Raises InputError where none answers."""
    import logging

    here = {"address": "local", "num_cpus": local.cores(), "include_dashboard": False}
    how = {"address": address} if address else here
    try:
        ray.init(**how, log_to_driver=False, logging_level=logging.ERROR, configure_logging=True)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise InputError(
            f"no Ray cluster answers at {how['address']}: {error}\nStart one with: ray start --head"
        ) from None
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False


def _plan(ray: Any, cluster: Cluster) -> tuple[Effort, int, dict[str, int]]:
    """What an actor does, how many of them, and what each asks of Ray."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = int(sum(node.get("GPU", 0) for node in nodes))
    smallest = int(min((node["CPU"] for node in nodes if node.get("CPU")), default=1))
    cores = cluster.cores or max(1, min(CORES, smallest))
    usual = Effort.of(cores, bool(gpus))
    effort = Effort(
        cluster.decoders or usual.decoders,
        cluster.threads or usual.threads,
        cluster.batch or usual.batch,
        cluster.patience_s,
    )
    of_cores = int(sum(node.get("CPU", 0) // cores for node in nodes))
    pool = min(gpus, of_cores) if gpus else of_cores
    if not pool:
        raise InputError(
            f"no machine of the cluster has {cores} cores for an actor; give fewer by --cores-per-actor"
        )
    return effort, pool, {"num_cpus": cores} | ({"num_gpus": 1} if gpus else {})


def _pool(ray: Any, size: int) -> Any:
    """So many actors from the start. Fewer will do: what a machine that died was at can then go to one that another gives up for
    it."""
    return ray.data.ActorPoolStrategy(min_size=1, max_size=size, initial_size=size)


def _explained(error: Exception) -> Exception:
    """A mistake that showed on another machine, such as a model that is not there, is the user's; anything else stays what it
    is."""
    lines = [line for line in str(error).splitlines() if "InputError: " in line]
    return (
        InputError(f"on a machine of the cluster: {lines[-1].partition('InputError: ')[2]}")
        if lines
        else error
    )
