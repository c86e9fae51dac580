"""The end of a served simulator (fact 48)."""

import json
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from integration.sim_stash.caller import KEY, Workshop
from integration.sim_stash.server import serving_whole
from stashplex.sim.stash.app import StashSim


def mutate(address: str, document: str) -> Any:
    body = json.dumps({"query": document}).encode()
    request = urllib.request.Request(f"{address}/graphql", body, KEY)
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
