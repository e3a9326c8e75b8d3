"""How the streets of each family of countries look: what `style.style_of` chooses from."""

from dataclasses import dataclass

from lostfound.world.dice import Colour

WHITE: Colour = (240, 238, 232)
CREAM: Colour = (235, 220, 185)
BRICK: Colour = (160, 85, 65)
RED_TILE: Colour = (185, 85, 55)
SLATE: Colour = (75, 80, 90)
TIN: Colour = (150, 155, 160)
RUST: Colour = (140, 85, 60)
THATCH: Colour = (150, 120, 75)
SAND: Colour = (215, 185, 140)


@dataclass(frozen=True)
class Family:
    """The choices a family leaves to its countries: colours, shapes and how often things are seen.

    Attributes:
        walls: Wall colours.
        roofs: Roof colours.
        roof_shapes: Any of `gable`, `hip`, `flat`, `pagoda`.
        storeys: Fewest and most storeys outside cities.
        poles: Any of `wood`, `concrete`, `ladder`, `metal`, `none`.
        fences: Any of `wall`, `hedge`, `picket`, `wire`, `none`.
        warning: Shape, face and border of warning signs; shapes are `diamond` and `triangle`.
        boards: Colours of direction boards.
        unpaved: Share of roads that are dirt.
        vehicles: (kind, weight) pairs; kinds are `car`, `van`, `bus`, `tuktuk`, `pickup`.
        special: A traditional dwelling, `ger` or `hut`, or empty.
        shops: Share of town buildings with a bright vertical board.
    """

    walls: tuple[Colour, ...]
    roofs: tuple[Colour, ...]
    roof_shapes: tuple[str, ...] = ("gable", "hip")
    storeys: tuple[int, int] = (1, 2)
    poles: tuple[str, ...] = ("wood", "concrete")
    fences: tuple[str, ...] = ("hedge", "none")
    warning: tuple[str, Colour, Colour] = ("triangle", (250, 250, 250), (205, 30, 35))
    boards: tuple[Colour, ...] = ((30, 90, 170), (20, 120, 70), (245, 245, 245))
    unpaved: float = 0.03
    vehicles: tuple[tuple[str, float], ...] = (("car", 0.75), ("van", 0.2), ("bus", 0.05))
    special: str = ""
    shops: float = 0.1


_DIAMOND = ("diamond", (245, 195, 30), (25, 25, 25))
_YELLOW_TRIANGLE = ("triangle", (245, 200, 40), (205, 30, 35))
_TRUCKS = (("car", 0.5), ("pickup", 0.35), ("van", 0.1), ("bus", 0.05))
_RICKSHAWS = (("car", 0.35), ("tuktuk", 0.4), ("bus", 0.15), ("van", 0.1))
_BUSY = (("car", 0.4), ("van", 0.3), ("pickup", 0.2), ("bus", 0.1))

FAMILIES = {
    "nordic": Family(
        walls=((150, 45, 40), WHITE, (225, 185, 80), (90, 110, 130), (120, 60, 50)),
        roofs=((60, 60, 65), (110, 60, 50), (80, 85, 85)),
        roof_shapes=("gable",),
        poles=("wood", "none"),
        fences=("none", "picket", "hedge"),
        warning=_YELLOW_TRIANGLE,
        boards=((245, 200, 40), (30, 90, 180), (245, 245, 245)),
        unpaved=0.08,
    ),
    "british": Family(
        walls=(BRICK, (190, 170, 140), WHITE, (140, 100, 80)),
        roofs=(SLATE, (110, 75, 65)),
        roof_shapes=("gable",),
        storeys=(2, 2),
        poles=("wood", "none"),
        fences=("hedge", "wall"),
        boards=((20, 110, 60), (245, 245, 245), (20, 80, 170)),
        unpaved=0.0,
    ),
    "western": Family(
        walls=(CREAM, WHITE, (215, 205, 190), (200, 180, 150), BRICK),
        roofs=(RED_TILE, SLATE, (130, 80, 60)),
        storeys=(2, 3),
        poles=("concrete", "none", "metal", "wood"),
        fences=("hedge", "wall", "none"),
        unpaved=0.0,
    ),
    "mediterranean": Family(
        walls=(WHITE, (235, 190, 130), (220, 160, 110), CREAM, (230, 205, 160)),
        roofs=(RED_TILE, (200, 110, 70), (170, 95, 65)),
        roof_shapes=("hip", "gable", "flat"),
        storeys=(2, 3),
        poles=("wood", "concrete", "metal"),
        fences=("wall", "none", "hedge"),
        unpaved=0.03,
    ),
    "eastern": Family(
        walls=(CREAM, (190, 190, 180), (200, 170, 120), (150, 160, 150), (215, 200, 140)),
        roofs=(TIN, RED_TILE, (110, 120, 110), (120, 70, 60)),
        storeys=(1, 2),
        poles=("concrete", "wood", "ladder"),
        fences=("picket", "wall", "none"),
        warning=("triangle", (250, 250, 250), (205, 30, 35)),
        unpaved=0.1,
    ),
    "north_american": Family(
        walls=((215, 215, 205), (170, 185, 195), (200, 180, 150), (150, 165, 145), WHITE),
        roofs=((85, 80, 80), (110, 90, 80), (70, 75, 85)),
        poles=("wood",),
        fences=("none", "picket", "none"),
        warning=_DIAMOND,
        boards=((15, 115, 70),),
        unpaved=0.06,
        vehicles=_TRUCKS,
    ),
    "latin": Family(
        walls=((220, 120, 80), (95, 165, 180), (235, 195, 85), (225, 150, 165), WHITE, (140, 185, 110)),
        roofs=(RED_TILE, TIN, RUST, (190, 180, 170)),
        roof_shapes=("flat", "gable", "hip"),
        poles=("concrete", "wood", "ladder"),
        fences=("wall", "wire", "none"),
        warning=_DIAMOND,
        boards=((15, 115, 70), (30, 80, 160)),
        unpaved=0.2,
        vehicles=_BUSY,
        shops=0.3,
    ),
    "caribbean": Family(
        walls=((250, 190, 190), (140, 215, 205), (250, 225, 130), (180, 210, 245), WHITE),
        roofs=(TIN, (190, 60, 55), (90, 130, 110)),
        roof_shapes=("hip", "gable"),
        poles=("wood", "concrete"),
        fences=("wall", "picket", "none"),
        warning=_DIAMOND,
        unpaved=0.1,
        vehicles=_BUSY,
        shops=0.2,
    ),
    "arab": Family(
        walls=(SAND, (225, 205, 170), WHITE, (205, 165, 130), (195, 150, 115)),
        roofs=(SAND, (200, 180, 150), (230, 220, 200)),
        roof_shapes=("flat",),
        storeys=(1, 3),
        poles=("metal", "concrete", "wood"),
        fences=("wall", "wall", "none"),
        boards=((20, 90, 170), (15, 110, 70)),
        unpaved=0.12,
        vehicles=(("car", 0.55), ("pickup", 0.35), ("van", 0.1)),
        shops=0.2,
    ),
    "african": Family(
        walls=((205, 165, 120), (190, 120, 85), (225, 205, 165), (170, 185, 170), (120, 160, 190)),
        roofs=(TIN, RUST, (165, 70, 55), (100, 125, 150)),
        roof_shapes=("gable", "hip"),
        storeys=(1, 1),
        poles=("wood", "none", "concrete"),
        fences=("wire", "none", "wall"),
        unpaved=0.3,
        vehicles=_BUSY,
        special="hut",
        shops=0.35,
    ),
    "steppe": Family(
        walls=(WHITE, (180, 200, 215), (215, 190, 150), (160, 190, 190)),
        roofs=((60, 110, 170), (60, 140, 90), (175, 60, 50), TIN),
        roof_shapes=("gable", "hip"),
        storeys=(1, 1),
        poles=("concrete", "wood"),
        fences=("picket", "none"),
        boards=((30, 90, 180),),
        unpaved=0.35,
        special="ger",
    ),
    "south_asian": Family(
        walls=((240, 170, 110), (130, 190, 215), (245, 215, 140), (240, 160, 175), (170, 210, 160)),
        roofs=((200, 190, 175), RUST, (170, 90, 65)),
        roof_shapes=("flat",),
        storeys=(1, 3),
        poles=("concrete", "metal"),
        fences=("wall", "none"),
        unpaved=0.18,
        vehicles=_RICKSHAWS,
        shops=0.7,
    ),
    "southeast_asian": Family(
        walls=((235, 225, 205), (190, 210, 190), (235, 200, 150), (160, 195, 205), (180, 130, 90)),
        roofs=((190, 90, 50), (60, 110, 150), TIN, (120, 75, 60)),
        roof_shapes=("gable", "pagoda", "hip"),
        storeys=(1, 3),
        poles=("concrete",),
        fences=("wall", "none", "hedge"),
        warning=_DIAMOND,
        boards=((15, 105, 65), (25, 80, 165)),
        unpaved=0.1,
        vehicles=(("car", 0.3), ("pickup", 0.35), ("tuktuk", 0.25), ("bus", 0.1)),
        shops=0.55,
    ),
    "east_asian": Family(
        walls=((205, 200, 190), (170, 160, 150), WHITE, (185, 190, 195), (150, 130, 110)),
        roofs=((60, 70, 85), (80, 90, 110), (95, 70, 65), (50, 90, 110)),
        roof_shapes=("hip", "pagoda", "gable"),
        storeys=(2, 3),
        poles=("concrete",),
        fences=("wall", "hedge"),
        warning=_DIAMOND,
        boards=((25, 70, 165), (20, 110, 80)),
        unpaved=0.01,
        vehicles=(("car", 0.5), ("van", 0.45), ("bus", 0.05)),
        shops=0.5,
    ),
    "oceanian": Family(
        walls=((215, 200, 175), WHITE, BRICK, (180, 185, 175)),
        roofs=(TIN, (165, 65, 50), (105, 120, 110)),
        roof_shapes=("hip",),
        storeys=(1, 1),
        poles=("wood",),
        fences=("wire", "none"),
        warning=_DIAMOND,
        boards=((15, 110, 65), (245, 245, 245)),
        unpaved=0.12,
        vehicles=(("car", 0.5), ("pickup", 0.45), ("van", 0.05)),
    ),
    "pacific": Family(
        walls=((225, 215, 190), (150, 200, 200), (235, 190, 140), (190, 150, 110)),
        roofs=(TIN, THATCH, (90, 140, 120)),
        storeys=(1, 1),
        poles=("wood", "none"),
        fences=("none", "hedge"),
        unpaved=0.3,
        vehicles=_BUSY,
        special="hut",
    ),
    "polar": Family(
        walls=((205, 60, 45), (60, 110, 160), (230, 190, 60)),
        roofs=(TIN, (90, 95, 100)),
        roof_shapes=("gable", "flat"),
        storeys=(1, 1),
        poles=("none", "metal"),
        fences=("none",),
        unpaved=1.0,
    ),
}
