"""What shows only over a real socket: the end of the server, and hooks that call back (facts 42, 48)."""

import json
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from integration.sim_stash.caller import JSON, KEY, Workshop
from integration.sim_stash.server import serving_whole
from stashplex.sim.stash.app import StashSim


def mutate(address: str, document: str) -> Any:
    body = json.dumps({"query": document}).encode()
    request = urllib.request.Request(f"{address}/graphql", body, KEY | JSON)
    with urllib.request.urlopen(request, timeout=20) as response:
        return json.load(response)


def test_the_server_waits_for_a_request_with_a_running_hook(plugged: StashSim, workshop: Workshop) -> None:
    # fact 48
    workshop.plugin("gate", "note(1)\nwait_for('open')\nnote(2)", triggers="Tag.Create.Post")
    plugged.reload_plugins()
    is_stopped = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        with serving_whole(plugged) as address:
            answer = pool.submit(mutate, address, 'mutation { tagCreate(input: {name: "t"}) { id } }')
            while not workshop.noted():
                is_stopped.wait(0.01)
            opener = threading.Timer(0.3, workshop.open_gate, ["open"])
            opener.start()
        assert workshop.noted() == [1, 2]
        assert answer.result(timeout=10) == {"data": {"tagCreate": {"id": "1"}}}
    opener.join()


def test_a_hook_that_writes_back_with_its_cookie_runs_ten_times(plugged: StashSim, workshop: Workshop) -> None:
    # fact 42
    body = """
    import urllib.request
    server = given["server_connection"]
    scene = args["hookContext"]["id"]
    note(scene)
    document = "mutation { sceneUpdate(input: {id: %d}) { id } }" % scene
    url = "http://%s:%d/graphql" % (server["Host"], server["Port"])
    headers = {"Cookie": "session=" + server["SessionCookie"]["Value"], "Content-Type": "application/json"}
    urllib.request.urlopen(urllib.request.Request(url, json.dumps({"query": document}).encode(), headers)).read()
    """
    workshop.plugin("loop", body, triggers="Scene.Update.Post")
    plugged.reload_plugins()
    scene = plugged.add_scene(title="a")
    with serving_whole(plugged) as address:
        mutate(address, f"mutation {{ sceneUpdate(input: {{id: {scene}}}) {{ id }} }}")
    assert workshop.noted() == [scene] * 10
