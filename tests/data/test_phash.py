import io

import pytest
from PIL import Image, ImageEnhance

from lostfound.data.grouping import MAX_DISTANCE
from lostfound.data.phash import perceptual_hash


def copies(image):
    small = image.resize((image.width // 2, image.height // 2), Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=30)
    return {
        "half the size": small,
        "JPEG quality 30": Image.open(buffer),
        "brighter": ImageEnhance.Brightness(image).enhance(1.05),
        "grey": image.convert("L").convert("RGB"),
    }


def hash_distance(one, other):
    return (perceptual_hash(one) ^ perceptual_hash(other)).bit_count()


@pytest.mark.parametrize("number", range(5))
def test_copies_are_near_and_other_pictures_are_not(picture, number):
    image = picture(number, 256, 192)

    for change, copy in copies(image).items():
        assert hash_distance(image, copy) <= MAX_DISTANCE, change
    assert hash_distance(image, picture(number + 100, 256, 192)) > 2 * MAX_DISTANCE


@pytest.mark.data
def test_copies_of_street_photos_are_near_and_other_views_of_the_place_are_not(real_data):
    strips = sorted((real_data / "street-panoramas").glob("*.jpg"))[::40]
    near = far = pairs = 0
    for path in strips:
        strip = Image.open(path).convert("RGB")
        views = [strip.crop((256 * i, 0, 256 * i + 256, 256)) for i in range(4)]
        changes = copies(views[0])
        near += sum(hash_distance(views[0], copy) <= MAX_DISTANCE for copy in changes.values())
        far += sum(hash_distance(views[i], views[j]) > MAX_DISTANCE for i in range(4) for j in range(i))
        pairs += 6

    assert near >= 0.95 * 4 * len(strips)
    assert far >= 0.99 * pairs
