"""Chief and workers: one process proposes trials, others train them, here or on other machines.

The chief owns the search folder. Workers reach it by gRPC at HOST:PORT and see the same folder. A
process takes its role from the command line's options, else from KerasTuner's environment
variables, and passes it to KerasTuner by the latter. The connection is neither encrypted nor
authenticated.
"""

import contextlib
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import grpc

from adff_tf.errors import InputError
from adff_tf.support.console import Reporter

VARIABLES = ("KERASTUNER_TUNER_ID", "KERASTUNER_ORACLE_IP", "KERASTUNER_ORACLE_PORT")
WAIT_S = 300.0


@dataclass(frozen=True)
class ProcessRole:
    """The part of this process in a search of many: the chief or a worker."""

    id: str
    host: str
    port: int
    wait_s: float = WAIT_S  # a worker waits so long for its chief

    @property
    def is_chief(self) -> bool:
        return "chief" in self.id  # KerasTuner's rule

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"


def choose_role(
    chief: bool, worker: str | None, address: str, wait_s: float = WAIT_S
) -> ProcessRole | None:
    """Return this process's role by its options, else by KerasTuner's variables; None for neither.

    Args:
        chief: whether --chief is given.
        worker: the name given by --worker.
        address: HOST:PORT of the chief; unused with the variables.
        wait_s: a worker waits so long for its chief.

    Raises:
        InputError: the options contradict each other, or name no role.
    """
    if chief and worker is not None:
        raise InputError(f"--chief and --worker {worker} were given; a process is one of them")
    if worker is not None and (not worker or "chief" in worker or "/" in worker):
        raise InputError(
            f"--worker {worker!r} cannot be a worker's name; give one without 'chief' and '/', "
            "for instance --worker 1"
        )
    if chief or worker is not None:
        host, port = _split_address(address, "--address")
        return ProcessRole("chief" if worker is None else worker, host, port, wait_s)
    given = [name for name in VARIABLES if os.environ.get(name)]
    if not given:
        return None
    if missing := sorted(set(VARIABLES) - set(given)):
        raise InputError(
            f"of KerasTuner's environment variables {', '.join(given)} is set and "
            f"{', '.join(missing)} is not; set all three"
        )
    id_, host, port_text = (os.environ[name] for name in VARIABLES)
    address = f"{host}:{port_text}"
    return ProcessRole(id_, *_split_address(address, " and ".join(VARIABLES[1:])), wait_s)


def _split_address(address: str, source: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise InputError(
            f"{source} {address!r} is no address; give HOST:PORT with a port from 1 to 65535, "
            "for instance 127.0.0.1:7077"
        )
    return host, int(port)


def wait_for_chief(role: ProcessRole, reporter: Reporter) -> None:
    """Wait until the chief accepts connections. Raises InputError after `role.wait_s`."""
    reporter.log(f"worker {role.id}: waiting for the chief at {role.address}")
    with grpc.insecure_channel(role.address) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=role.wait_s)
        except grpc.FutureTimeoutError:
            raise InputError(
                f"no chief answers at {role.address} after {role.wait_s:g} s; start it by the same "
                f"command with --chief instead of --worker {role.id}, give its --address "
                "HOST:PORT, or wait longer by --wait SECONDS"
            ) from None


def check_port(role: ProcessRole) -> None:
    """Raise InputError where the chief cannot listen at its address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((role.host, role.port))
        except OSError as error:
            raise InputError(
                f"the chief cannot listen at {role.address}: {error.strerror or error}; give it "
                "and its workers another --address HOST:PORT, with a free port of this machine"
            ) from None


@contextlib.contextmanager
def keras_tuner_environment(role: ProcessRole | None) -> Iterator[None]:
    """Set KerasTuner's environment variables to the role during the block; None unsets them."""
    before = {name: os.environ.pop(name, None) for name in VARIABLES}
    if role:
        os.environ.update(zip(VARIABLES, (role.id, role.host, str(role.port)), strict=True))
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
