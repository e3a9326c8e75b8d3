from lostfound.data.importers.source import image_files


def test_image_files_are_listed_sorted_by_folder_without_hidden_ones(tmp_path, write_picture):
    for name in ("b.JPG", "a.png", "sub/c.webp", "._d.jpg", ".hidden/e.jpg"):
        write_picture(tmp_path / name, format="PNG")
    (tmp_path / "notes.txt").write_text("")

    assert [path.relative_to(tmp_path).as_posix() for path in image_files(tmp_path)] == [
        "a.png",
        "b.JPG",
        "sub/c.webp",
    ]
