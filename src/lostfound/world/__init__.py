"""The generated world: synthetic street scenes that change with latitude, longitude, heading and country.

It needs no network, has any number of places, and its truth is known, so it serves for trying the whole
package out and for tests. It shows made-up streets: nothing learnt from it says anything about real ones.
"""

from lostfound.world.places import DEFAULT_COUNTRIES, Place, sample_places
from lostfound.world.render import render
from lostfound.world.write import write_world

SYNTHETIC_SOURCE = "generated-world"
"""The name under which data sets and model cards list images of this world."""

__all__ = ["DEFAULT_COUNTRIES", "SYNTHETIC_SOURCE", "Place", "render", "sample_places", "write_world"]
