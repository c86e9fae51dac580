"""The server about itself: identity, configuration, settings, butler tasks, activities, accounts.

Everything here is small and rarely asked for; clients use it to connect and to see whether they may write.
"""

from stashplex.sim.plex.answer import DONE, Answer, Element, Refused
from stashplex.sim.plex.call import Call
from stashplex.sim.plex.world import Activity

_BUTLER = (
    ("BackupDatabase", 3),
    ("CleanOldBundles", 7),
    ("CleanOldCacheFiles", 7),
    ("DeepMediaAnalysis", 1),
    ("OptimizeDatabase", 7),
    ("RefreshLibraries", 1),
    ("RefreshLocalMedia", 3),
    ("RefreshPeriodicMetadata", 1),
)


def get_identity(call: Call) -> Answer:
    """Tell who the server is; needs no token."""
    world = call.world
    container: Element = {"size": 0, "apiVersion": "1.2.3", "claimed": world.switches.require_token}
    container |= {"machineIdentifier": world.machine_id, "version": world.version}
    return call.container(container)


def get_root(call: Call) -> Answer:
    """Return the configuration of the server."""
    world = call.world
    is_claimed = world.switches.require_token
    container: Element = {
        "size": 2,
        "allowCameraUpload": False,
        "allowChannelAccess": True,
        "allowSharing": True,
        "allowSync": False,
        "backgroundProcessing": True,
        "certificate": True,
        "companionProxy": True,
        "countryCode": "usa",
        "eventStream": True,
        "friendlyName": world.name,
        "hubSearch": True,
        "machineIdentifier": world.machine_id,
        "multiuser": True,
        "myPlex": is_claimed,
        "myPlexMappingState": "mapped" if is_claimed else "unknown",
        "myPlexSigninState": "ok" if is_claimed else "none",
        "myPlexSubscription": world.switches.plex_pass,
        "ownerFeatures": "webhooks,pass" if world.switches.plex_pass else "",
        "platform": "Linux",
        "platformVersion": "6.1",
        "pluginHost": True,
        "readOnlyLibraries": False,
        "streamingBrainABRVersion": 3,
        "streamingBrainVersion": 2,
        "sync": True,
        "transcoderActiveVideoSessions": 0,
        "transcoderAudio": True,
        "transcoderPhoto": True,
        "transcoderVideo": True,
        "transcoderVideoBitrates": "64,96,208,320,720,1500,2000,3000,4000,8000,10000,12000,20000",
        "transcoderVideoQualities": "0,1,2,3,4,5,6,7,8,9,10,11,12",
        "transcoderVideoResolutions": "128,128,160,240,320,480,768,720,720,1080,1080,1080,1080",
        "updatedAt": world.now,
        "version": world.version,
    }
    if world.switches.allow_media_deletion:
        container["allowMediaDeletion"] = True
    if is_claimed:
        container["myPlexUsername"] = "owner@example.com"
    container["Directory"] = [
        {"count": 1, "key": "activities", "title": "activities"},
        {"count": 1, "key": "library", "title": "library"},
    ]
    return call.container(container)


def get_prefs(call: Call) -> Answer:
    """Return the settings of the server, or the one named by `id`."""
    wanted = call.query.find("id")
    names = [name for name in call.world.prefs if wanted in {None, name}]
    if not names:
        raise Refused(404)
    return call.rows(names, lambda name: _setting(call, name), name="Setting")


def put_prefs(call: Call) -> Answer:
    """Change settings of the server. Raises: Refused 400 for an unknown one or a wrong value."""
    prefs = call.world.prefs
    wanted = [(name, value) for name, value in call.query.pairs if not name.startswith("X-Plex-")]
    for name, value in wanted:
        match prefs.get(name):
            case None:
                raise Refused(400)
            case bool():
                prefs[name] = value in {"1", "true"}
            case int() if value.isdecimal():
                prefs[name] = int(value)
            case int():
                raise Refused(400)
            case str():
                prefs[name] = value
    return DONE


def get_butler(call: Call) -> Answer:
    """List the maintenance tasks."""
    tasks = [
        {
            "name": name,
            "interval": interval,
            "scheduleRandomized": False,
            "enabled": True,
            "title": name,
            "description": name,
        }
        for name, interval in _BUTLER
    ]
    return call.container({"ButlerTask": tasks}, root="ButlerTasks")


def get_activities(call: Call) -> Answer:
    """List what runs right now."""
    return call.rows(list(call.world.activities.values()), activity_element, name="Activity")


def delete_activity(call: Call) -> Answer:
    """Cancel what runs right now."""
    activity = call.world.activities.get(call.path.rstrip("/").rpartition("/")[2])
    if activity is None:
        raise Refused(404)
    activity.is_cancelled = True
    return DONE


def get_accounts(call: Call) -> Answer:
    """List the accounts of the server."""
    accounts = [{"id": 1, "key": "/accounts/1", "name": "owner"}, {"id": 2, "key": "/accounts/2", "name": "guest"}]
    return call.rows(accounts, lambda row: row, name="Account")


def get_sessions(call: Call) -> Answer:
    """List what is played right now: nothing."""
    return call.container({"size": 0})


def activity_element(activity: Activity) -> Element:
    """Return an activity as lists and notifications show it."""
    return {
        "uuid": activity.uuid,
        "type": activity.type,
        "cancellable": True,
        "userID": 1,
        "title": activity.title,
        "subtitle": activity.subtitle,
        "progress": activity.progress,
        "Context": {"librarySectionID": str(activity.section_id)},
    }


def _setting(call: Call, name: str) -> Element:
    value = call.world.prefs[name]
    kind = "bool" if isinstance(value, bool) else "int" if isinstance(value, int) else "text"
    text = str(value).lower() if isinstance(value, bool) else value
    return {
        "id": name,
        "label": name,
        "summary": "",
        "type": kind,
        "default": text,
        "value": text,
        "hidden": False,
        "advanced": False,
        "group": "general",
    }
