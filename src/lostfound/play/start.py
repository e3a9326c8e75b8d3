"""Starting the game: from a data set and what was asked for to a server that runs."""

from __future__ import annotations

import io
import socket
from pathlib import Path

from lostfound.data.dataset import Dataset
from lostfound.errors import LostFoundError, MissingExtraError
from lostfound.play.export import keep_cells
from lostfound.play.opponents import Opponent
from lostfound.play.places import Places, game_key
from lostfound.play.settings import GameSettings
from lostfound.play.store import Store
from lostfound.play.study import PlayStudy

try:
    import segno

    from lostfound.play.app import build_app
    from lostfound.serve import run as server
except ImportError as error:
    raise MissingExtraError(
        f"the game needs an extra (not installed: {error.name}): pip install 'lostfound[play]'"
    ) from None

from lostfound.partitions import Partition
from lostfound.serve.settings import ServerLimits


def open_study(
    dataset: Dataset,
    settings: GameSettings,
    folder: Path,
    partition: Partition | None,
    opponent: Opponent | None,
    join: str | None,
) -> PlayStudy:
    """Find the places, and open the records.

    Raises:
        LostFoundError: The data set does not give what is asked, or the folder holds another study.
    """
    places = Places(dataset, settings, partition)
    store = Store.open(folder, game_key(places))
    keep_cells(folder, places.partition)
    return PlayStudy(places, store, opponent, join)


def serve_study(study: PlayStudy, own: socket.socket) -> None:
    """Serve until a signal ends it."""
    server.run_app(lambda: build_app(study), own, ServerLimits())


def busy(folder: Path) -> LostFoundError:
    """What is said where another process plays the same study."""
    return LostFoundError(
        f"{folder} is being played already: use that server, or give another folder with --to"
    )


def lan_address(port: int) -> str | None:
    """The address at which other devices in the network find this machine; None without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # for documentation alone (RFC 5737); nothing is sent
        except OSError:
            return None
        host = str(probe.getsockname()[0])
    return None if host.startswith("127.") or host == "0.0.0.0" else f"http://{host}:{port}"  # noqa: S104


def qr_text(address: str) -> str:
    """A code that a phone's camera reads off a terminal."""
    buffer = io.StringIO()
    segno.make(address, error="l").terminal(out=buffer, border=2, compact=True)
    return buffer.getvalue()
