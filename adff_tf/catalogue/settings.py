"""How a run uses its machines, and the level of its intervals.

No other setting changes a value by more than 1e-5.
"""

from dataclasses import dataclass, replace
from typing import Annotated, Literal

import tyro

from ..errors import InputError
from ..inference.calibration import LEVEL, check_level

LEAST = {"cores_per_actor": 1, "decoders": 1, "threads": 1, "batch": 1, "patience_s": 1}


@dataclass(frozen=True)
class EngineSettings:
    """The engine and its share of a machine. None stands for what suits the machine."""

    engine: Literal["local", "ray"] = "local"
    """local: the processors (and GPU) of this machine. ray: a Ray cluster."""
    ray_address: Annotated[
        str | None,
        tyro.conf.arg(
            help="Of a cluster that runs, such as auto or 10.0.0.1:6379; without it --engine ray "
            "starts one on this machine."
        ),
    ] = None
    cores_per_actor: Annotated[
        int | None,
        tyro.conf.arg(
            metavar="N",
            help="ray: processors of one actor, which loads the model once; 8 if not given, or "
            "what the smallest machine has.",
        ),
    ] = None
    decoders: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Processes that decode; one a processor if not given."""
    threads: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Threads that predict, with a batch each; one a processor if not given, 2 with a GPU."""
    batch: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Windows predicted at once; 4 if not given, 32 with a GPU."""
    level: Annotated[float, tyro.conf.arg(metavar="P")] = LEVEL
    """Share of the songs whose interval holds their true value, 0 to 1."""
    patience_s: Annotated[float, tyro.conf.arg(name="patience", metavar="S")] = 60.0
    """Seconds after which a decoder without progress is ended, and its file is an error."""

    def check(self) -> None:
        """Raise InputError for a setting out of range."""
        check_level(self.level)
        for name, least in LEAST.items():
            value = getattr(self, name)
            if value is not None and not value >= least:  # NaN too
                raise InputError(f"{name} {value:g} was given; give {least} or more")

    def for_machine(self, cores: int, has_gpu: bool) -> "EngineSettings":
        """Return the settings with decoders, threads and batch filled in.

        A GPU gets large batches, and two threads: one batch is copied while another is computed.

        Args:
            cores: of the machine, or of an actor's part of it.
            has_gpu: whether the model uses a GPU there.
        """
        threads, batch = (2, 32) if has_gpu else (cores, 4)
        return replace(
            self,
            decoders=self.decoders or cores,
            threads=self.threads or threads,
            batch=self.batch or batch,
        )
