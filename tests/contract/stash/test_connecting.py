"""An independent client connects: by key, by cookie, and not at all."""

import urllib.parse
import urllib.request
from http.cookies import SimpleCookie

import pytest
from stashapi.stashapp import StashInterface

from contract.stash.conftest import Target
from stashplex.sim.stash.app import StashSim


def test_a_key_opens(client: StashInterface) -> None:
    assert client.stash_version().major >= 0
    assert client.fragments["Scene"]


def test_a_cookie_opens(sim: StashSim, target: Target) -> None:
    form = urllib.parse.urlencode({"username": sim.settings.username, "password": sim.settings.password}).encode()
    with urllib.request.urlopen(f"{target.address}/login", form, timeout=10) as response:
        cookie = SimpleCookie(response.headers["Set-Cookie"])["session"].value
    client = StashInterface({**target.connection(), "SessionCookie": {"Value": cookie}})
    assert "Cookie" in client.s.get(client.url + "?query={version{version}}").request.headers
    keyed = StashInterface({**target.connection(), "SessionCookie": {"Value": cookie}}, force_api_key=True)
    assert keyed.s.headers["ApiKey"] == sim.settings.api_key


def test_a_wrong_key_does_not(target: Target) -> None:
    with pytest.raises(Exception, match="401"):
        StashInterface({**target.connection(), "ApiKey": "not-a-key"})


def test_the_configuration_can_be_read(client: StashInterface, target: Target) -> None:
    configuration = client.get_configuration()
    assert configuration["general"]["apiKey"] == target.api_key
    assert configuration["general"]["parallelTasks"] >= 0
    assert isinstance(configuration["plugins"], dict)
    assert client.get_configuration_defaults("deleteFile")["deleteFile"] in {True, False}
