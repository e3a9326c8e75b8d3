"""docs/serving.md: its examples run as they stand, against a real server."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the server is not installed: extra 'serve'")

REPOSITORY = Path(__file__).parent.parent.parent
PAGE = (REPOSITORY / "docs" / "serving.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory, pictures: list[Path]) -> Path:
    folder = tmp_path_factory.mktemp("serving")
    for name, path in zip(("photo.jpg", "front.jpg", "side.jpg"), pictures, strict=False):
        shutil.copy(path, folder / name)
    return folder


@pytest.fixture(scope="module")
def url(start_server) -> str:
    return start_server().url


def run(command: list[str], folder: Path, url: str) -> str:
    import os

    source = os.pathsep.join(filter(None, [str(REPOSITORY / "src"), os.environ.get("PYTHONPATH")]))
    environment = os.environ | {"SERVER": url, "PYTHONPATH": source}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
@pytest.mark.slow
def test_curl(folder, url):
    lines = block("bash").splitlines()
    answers = [run(["bash", "-c", f"{line} --silent --fail-with-body"], folder, url) for line in lines]
    assert all('"candidates"' in answer for answer in answers)
    assert '"photos": ["front.jpg", "side.jpg"]' in answers[1]
    assert '"left_out"' in answers[2]
    assert '"FeatureCollection"' in answers[3]


@pytest.mark.slow
def test_python(folder, url):
    first, second, third = run([sys.executable, "-c", block("python")], folder, url).splitlines()
    assert first.split()[-1] in ("True", "False")
    assert second == "2"
    assert third in ("FR", "ES")


@pytest.mark.skipif(shutil.which("node") is None, reason="no node")
def test_javascript(folder, url):
    (folder / "example.mjs").write_text(block("javascript"))
    answer = run(["node", "--no-warnings", "example.mjs"], folder, url)
    assert answer.startswith("photo.jpg ")


def test_all_options_are_named():
    from lostfound.serve.options import LocateOptions

    for name, field in LocateOptions.model_fields.items():
        assert f"`{field.alias or name}`" in PAGE


def test_the_container_is_no_root_and_says_how_it_is():
    lines = (REPOSITORY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    words = [line.split()[0] for line in lines if line and not line.startswith((" ", "#"))]
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert "HEALTHCHECK" in words
    assert "USER 10001" in lines
    assert all(":latest" not in line and "@" not in line for line in lines)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze")
def test_the_unit_is_one(tmp_path):
    text = (REPOSITORY / "deploy" / "lostfound.service").read_text(encoding="utf-8")
    unit = tmp_path / "lostfound.service"
    unit.write_text(re.sub(r"ExecStart=\S+", "ExecStart=/bin/true", text))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert "lostfound.service" not in done.stderr, done.stderr
