"""What a person has configured on the simulated server, and what the API can change of it.

Stored like Stash stores it: plugin settings are one free map per plugin, nothing is merged with a manifest.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Settings:
    """The configuration. Shape: `api_key` empty means that the server has none."""

    username: str
    password: str
    api_key: str
    plugins_path: Path | None = None
    python_path: str = ""
    host: str = "0.0.0.0"  # noqa: S104 - what a server with default settings tells its plugins
    port: int = 9999
    parallel_tasks: int = 1
    max_session_age_s: int = 3600
    directory: str = "/root/.stash"
    stashes: list[str] = field(default_factory=lambda: ["/media"])
    package_sources: list[dict[str, Any]] = field(default_factory=list)
    plugin_values: dict[str, dict[str, Any]] = field(default_factory=dict)
    disabled: set[str] = field(default_factory=set)

    def set_plugins_path(self, text: str) -> None:
        """Change where plugins are looked for."""
        self.plugins_path = Path(text) if text else None

    def plugins(self, include: Iterable[str] | None) -> dict[str, dict[str, Any]]:
        """Return the saved plugin settings, of all or of the included plugins."""
        wanted = None if include is None else set(include)
        return {name: dict(values) for name, values in self.plugin_values.items() if wanted is None or name in wanted}

    def general(self) -> dict[str, Any]:
        """Return `configuration.general`."""
        root = self.directory
        return {
            "stashes": [{"path": p, "excludeVideo": False, "excludeImage": True} for p in self.stashes],
            "databasePath": f"{root}/stash-go.sqlite",
            "generatedPath": f"{root}/generated",
            "metadataPath": f"{root}/metadata",
            "configFilePath": f"{root}/config.yml",
            "pluginsPath": "" if self.plugins_path is None else str(self.plugins_path),
            "cachePath": f"{root}/cache",
            "blobsPath": f"{root}/blobs",
            "blobsStorage": "FILESYSTEM",
            "pythonPath": self.python_path,
            "calculateMD5": False,
            "videoFileNamingAlgorithm": "OSHASH",
            "parallelTasks": self.parallel_tasks,
            "previewPreset": "slow",
            "maxUploadSize": 1 << 30,
            "maxSessionAge": self.max_session_age_s,
            "username": self.username,
            "password": "*" * 8 if self.password else "",
            "apiKey": self.api_key,
            "logFile": "",
            "logLevel": "Info",
            "logAccess": True,
            "videoExtensions": ["m4v", "mp4", "mkv", "webm", "avi"],
            "imageExtensions": ["png", "jpg", "jpeg", "gif", "webp"],
            "galleryExtensions": ["zip", "cbz"],
            "createGalleriesFromFolders": False,
            "excludes": [],
            "stashBoxes": [],
            "pluginPackageSources": self.package_sources,
        }


def rest_of_configuration() -> dict[str, Any]:
    """Return the parts of `configuration` that nothing here can change."""
    scan = ("Covers", "Previews", "ImagePreviews", "Sprites", "Phashes", "Thumbnails", "ClipPreviews")
    generate = ("covers", "sprites", "previews", "imagePreviews", "markers", "transcodes", "phashes")
    return {
        "interface": {"language": "en-GB", "sfwContentMode": False, "cssEnabled": False, "javascriptEnabled": False},
        "dlna": {"serverName": "stash", "enabled": False, "port": 1338},
        "scraping": {"scraperUserAgent": "", "excludeTagPatterns": []},
        "defaults": {
            "scan": {"rescan": False, **{f"scanGenerate{what}": what == "Covers" for what in scan}},
            "generate": {what: what == "covers" for what in generate},
            "deleteFile": False,
            "deleteGenerated": True,
        },
        "ui": {},
    }
